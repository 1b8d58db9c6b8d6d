"""Make the golden vectors anew: compile the Java program beside this file against Kafka's jars, run it, compress what it prints.

    python tests/conformance/wire/make_vectors.py DIRECTORY_WITH_KAFKA_JARS

Needs Java 17. The jars are those of a Kafka distribution's ``libs`` directory. README.md describes the file that comes out.
"""

import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE / "vectors.jsonl.xz"
MESSAGE_JARS = ("clients", "metadata", "raft", "storage", "group-coordinator", "transaction-coordinator", "share-coordinator")


def make_vectors(jars: Path) -> bytes:
    """The vectors as JSON lines."""
    message_jars = [str(next(jars.glob(f"kafka-{name}-[0-9]*.jar"))) for name in MESSAGE_JARS]
    class_path = f"{jars}/*"
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(["javac", "-nowarn", "-cp", class_path, "-d", classes, str(HERE / "java" / "GoldenVectors.java")], check=True)
        command = ["java", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", f"{classes}:{class_path}", "GoldenVectors", *message_jars]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def main(arguments: list[str]) -> int:
    """Write ``vectors.jsonl.xz``; 2 on wrong usage."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    lines = make_vectors(Path(arguments[0]))
    VECTORS.write_bytes(lzma.compress(lines, preset=9 | lzma.PRESET_EXTREME))
    count = lines.count(b'{"message":')
    print(f"{VECTORS.name}: {count} vectors, {len(lines)} bytes, {VECTORS.stat().st_size} compressed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
