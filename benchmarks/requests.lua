-- The requests of a benchmark, for wrk: wrk -s requests.lua URL -- METHOD LIST BYTES
-- LIST is a file with a target on each line, and after a tab the value of a Range header.
-- Each request takes the next line; a body of so many BYTES goes with it.

local heads = {}
local body = ""
local at = 0

function init(args)
   local method, list, bytes = args[1], args[2], tonumber(args[3])
   local always = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n"
   if bytes > 0 then
      body = string.rep("0123456789abcdef", bytes / 16)
      always = always .. "Content-Length: " .. #body .. "\r\n"
   end
   for line in io.lines(list) do
      local target, range = line:match("^([^\t]*)\t?(.*)$")
      if range ~= "" then
         range = "Range: " .. range .. "\r\n"
      end
      heads[#heads + 1] = method .. " " .. target .. always .. range .. "\r\n"
   end
end

function request()
   at = at % #heads + 1
   if body == "" then
      return heads[at]
   end
   return heads[at] .. body
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "\nfigures %d %d %d %d %.0f %.0f %.0f\n",
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
