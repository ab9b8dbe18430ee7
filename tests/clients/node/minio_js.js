// minio-js. Endpoint and keys come from the environment.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { Client } from "minio";

const MIB = 1 << 20;
const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
const client = new Client({
  endPoint: endpoint.hostname,
  port: Number(endpoint.port),
  useSSL: endpoint.protocol === "https:",
  accessKey: process.env.AWS_ACCESS_KEY_ID,
  secretKey: process.env.AWS_SECRET_ACCESS_KEY,
  partSize: 5 * MIB,
});
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
async function bytesOf(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
async function listed(prefix, recursive) {
  const found = [];
  for await (const item of client.listObjectsV2("from-js", prefix, recursive)) found.push(item.name ?? item.prefix);
  return found;
}

await client.makeBucket("from-js", "us-east-1");
assert.equal(await client.bucketExists("from-js"), true);
assert.equal(await client.bucketExists("missing"), false);

const keys = ["100%41=?#", "a b/c+d&e", "plain", "été/日本"];
for (const key of keys) {
  await client.putObject("from-js", key, `body of ${key}`, undefined, { "Content-Type": "text/plain", k: "v" });
  assert.equal((await bytesOf(await client.getObject("from-js", key))).toString(), `body of ${key}`);
  const stat = await client.statObject("from-js", key);
  assert.deepEqual([stat.metaData["content-type"], stat.metaData.k], ["text/plain", "v"]);
}
assert.deepEqual(await listed("", true), keys);
assert.deepEqual((await listed("", false)).sort(), ["100%41=?#", "a b/", "plain", "été/"]);

const large = randomBytes(12 * MIB + 1);
await client.putObject("from-js", "large", Readable.from(large));
assert.equal(sha256(await bytesOf(await client.getObject("from-js", "large"))), sha256(large));
const part = await bytesOf(await client.getPartialObject("from-js", "large", 6 * MIB, 10));
assert.equal(sha256(part), sha256(large.subarray(6 * MIB, 6 * MIB + 10)));
await client.copyObject("from-js", "copy", "/from-js/plain");
assert.equal((await bytesOf(await client.getObject("from-js", "copy"))).toString(), "body of plain");

const put = await client.presignedPutObject("from-js", "presigned +", 60);
assert.equal((await fetch(put, { method: "PUT", body: "presigned" })).status, 200);
const got = await fetch(await client.presignedGetObject("from-js", "presigned +", 60));
assert.deepEqual([got.status, await got.text()], [200, "presigned"]);

await assert.rejects(client.getObject("from-js", "missing"), { code: "NoSuchKey" });
await client.removeObjects("from-js", [...keys, "copy", "presigned +"]);
assert.deepEqual(await listed("", true), ["large"]);
console.log(sha256(large));
