"""pyarrow.fs, which is the AWS SDK for C++, with Parquet files and data sets."""

from __future__ import annotations

import pyarrow
from pyarrow import dataset, parquet
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, TREE, ClientCase, noise


class PyarrowTests(ClientCase):
    def setUp(self) -> None:
        trust = {"tls_ca_file_path": self.authority} if self.authority else {}
        self.fs = S3FileSystem(
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION, scheme="https" if self.tls else "http",
            endpoint_override=self.host, allow_bucket_creation=True, allow_bucket_deletion=True, **trust,
        )  # fmt: skip

    def test_parquet(self) -> None:
        self.fs.create_dir("parquet")
        rows = 400_000
        table = pyarrow.table({"number": range(rows), "text": [f"row {number % 977}" for number in range(rows)]})
        parquet.write_table(table, "parquet/one.parquet", filesystem=self.fs, row_group_size=50_000)
        self.assertTrue(parquet.read_table(self.on_disk("parquet", "one.parquet")).equals(table))
        self.assertTrue(parquet.read_table("parquet/one.parquet", filesystem=self.fs).equals(table))
        column = parquet.read_table("parquet/one.parquet", columns=["text"], filesystem=self.fs)
        self.assertEqual(column.column("text")[1000].as_py(), "row 23")

    def test_data_set(self) -> None:
        self.fs.create_dir("sets")
        table = pyarrow.table({"year": [2024, 2025, 2026] * 100, "value": range(300)})
        dataset.write_dataset(
            table, "sets/by year", format="parquet", filesystem=self.fs,
            partitioning=dataset.partitioning(pyarrow.schema([("year", pyarrow.int64())]), flavor="hive"),
        )  # fmt: skip
        found = dataset.dataset("sets/by year", format="parquet", partitioning="hive", filesystem=self.fs)
        self.assertEqual(
            sorted(found.files), [f"sets/by year/year={year}/part-0.parquet" for year in (2024, 2025, 2026)]
        )
        values = found.to_table(filter=dataset.field("year") == 2025).column("value").to_pylist()
        self.assertEqual(values, list(range(1, 300, 3)))

    def test_files(self) -> None:
        self.fs.create_dir("files")
        for key, content in TREE.items():
            with self.fs.open_output_stream(f"files/{key}") as stream:
                stream.write(content)
        infos = self.fs.get_file_info(FileSelector("files", recursive=True))
        sizes = {info.path.removeprefix("files/"): info.size for info in infos if info.type == FileType.File}
        self.assertEqual(sizes, {key: len(content) for key, content in TREE.items()})
        for key, content in TREE.items():
            with self.fs.open_input_file(f"files/{key}") as file:
                self.assertTrue(file.read() == content)
        self.fs.copy_file("files/readme.txt", "files/copy")
        self.fs.move("files/readme.txt", "files/moved")
        self.assertEqual(self.on_disk("files", "moved").read_bytes(), TREE["readme.txt"])
        self.assertEqual(self.fs.get_file_info("files/readme.txt").type, FileType.NotFound)
        self.fs.delete_dir("files")
        self.assertFalse(self.on_disk("files").exists())

    def test_output_in_parts(self) -> None:
        self.fs.create_dir("parts")
        content = noise(26 * MIB)
        with self.fs.open_output_stream("parts/large", metadata={"Content-Type": "a/b"}) as stream:
            for start in range(0, len(content), MIB):
                stream.write(content[start : start + MIB])
        self.assertTrue(self.on_disk("parts", "large").read_bytes() == content)
        with self.fs.open_input_file("parts/large") as file:
            self.assertEqual(file.read_at(5, 11 * MIB), content[11 * MIB :][:5])
        with self.fs.open_input_stream("parts/large") as stream:
            self.assertEqual(stream.metadata()["Content-Type"], b"a/b")


class PyarrowOverTLSTests(PyarrowTests):
    tls = True
