// The AWS SDK for JavaScript, version 3. Keys, region and trust come from the environment.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand, CreateBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand,
  S3Client, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const MIB = 1 << 20;
const client = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, maxAttempts: 1 });
const Bucket = "sdk";
const send = (Command, input) => client.send(new Command({ Bucket, ...input }));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

await send(CreateBucketCommand, {});

// Keys that need care, bodies of several kinds.
const keys = ["a b/c+d&e", "été/日本", "x//y", "100%41=?#", "plain"];
for (const Key of keys) {
  await send(PutObjectCommand, { Key, Body: `body of ${Key}`, ContentType: "text/plain", Metadata: { k: "v" } });
  const got = await send(GetObjectCommand, { Key });
  assert.equal(await got.Body.transformToString(), `body of ${Key}`);
  assert.deepEqual([got.ContentType, got.Metadata], ["text/plain", { k: "v" }]);
}

// A stream of a length that nobody knows, in parts, and its way back.
const large = randomBytes(17 * MIB + 3);
function* pieces() {
  for (let start = 0; start < large.length; start += 100_000) yield large.subarray(start, start + 100_000);
}
const upload = new Upload({
  client, partSize: 5 * MIB, queueSize: 3, params: { Bucket, Key: "large", Body: Readable.from(pieces()) },
});
await upload.done();
const hash = createHash("sha256");
const answer = await send(GetObjectCommand, { Key: "large" });
for await (const piece of answer.Body) hash.update(piece);
assert.equal(hash.digest("hex"), sha256(large));
const range = await send(GetObjectCommand, { Key: "large", Range: `bytes=${6 * MIB}-${6 * MIB + 9}` });
assert.equal(sha256(await range.Body.transformToByteArray()), sha256(large.subarray(6 * MIB, 6 * MIB + 10)));
await send(CopyObjectCommand, { Key: "copy", CopySource: `${Bucket}/large` });
assert.equal((await send(HeadObjectCommand, { Key: "copy" })).ContentLength, large.length);

// Presigned URLs. In the one for a PUT the SDK signs the checksum of an empty body.
for (const Key of ["presigned", "presigned +&"]) {
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  assert.equal((await fetch(put, { method: "PUT", body: "presigned" })).status, 200);
  const got = await fetch(await getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 }));
  assert.deepEqual([got.status, await got.text()], [200, "presigned"]);
}

// Conditions and errors as classes of the SDK.
const once = { Key: "once", Body: "1", IfNoneMatch: "*" };
await send(PutObjectCommand, once);
await assert.rejects(send(PutObjectCommand, once), { name: "PreconditionFailed" });
await assert.rejects(send(GetObjectCommand, { Key: "missing" }), { name: "NoSuchKey" });
await assert.rejects(send(HeadObjectCommand, { Key: "missing" }), { name: "NotFound" });

// Pages of a listing, and many deletions at once.
const listed = [];
for await (const page of paginateListObjectsV2({ client, pageSize: 3 }, { Bucket })) {
  listed.push(...page.Contents.map((item) => item.Key));
}
const all = [...keys, "large", "copy", "presigned", "presigned +&", "once"];
assert.deepEqual([...listed].sort(), all.sort());
const Objects = listed.filter((Key) => Key !== "large").map((Key) => ({ Key }));
assert.equal((await send(DeleteObjectsCommand, { Delete: { Objects } })).Errors, undefined);
console.log(sha256(large));
