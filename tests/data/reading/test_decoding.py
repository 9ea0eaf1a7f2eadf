"""Files that are not UTF-8: what they are named, remedies that give the right text, and line ends of old programs."""

from __future__ import annotations

import gzip
import io
import subprocess
from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.reading.decoding import lines_of
from leanformer.data.reading.readers import read_rows
from leanformer.errors import DataError


def refusal(path: Path, content: bytes) -> DataError:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert caught.value.remedy
    return caught.value


def converted(path: Path, error: DataError, encoding: str = "") -> list[str]:
    """The texts after the command that the remedy names."""
    command = error.remedy.partition(": ")[2] if "ENCODING" not in error.remedy else error.remedy.rpartition(": ")[2]
    command = command.partition(" (if it is not")[0].replace("ENCODING", encoding)
    subprocess.run(command, shell=True, cwd=path.parent, check=True)
    made = path.with_name(command.rpartition("> ")[2])
    return [row.text for row in read_rows(made)]


WESTERN = (
    ("CP1252", "“so good” – he said, it’s 5 € at the café"),
    ("CP1252", "l’été — déjà vu… un œuf"),
    ("CP1252", "Grüße aus Köln • 20 ‰"),
    ("LATIN1", "café à la crème"),
    ("LATIN1", "¿Qué tal, señor? «sí»"),
    ("LATIN1", "Ærø er en ø; blåbærgrød 3 m²"),
    ("LATIN1", "ação, não, mãe, às 20 °C"),
)


@pytest.mark.parametrize(("name", "text"), WESTERN)
def test_western_code_pages_are_named_and_the_remedy_gives_the_text(tmp_path: Path, name: str, text: str) -> None:
    content = f'text,label\nplain,x\n"{text}",y\n'.encode(name)
    error = refusal(tmp_path / "a.csv", content)
    assert error.line == 3
    assert f"iconv -f {name} -t UTF-8 a.csv" in error.remedy
    assert "name its encoding instead" in error.remedy
    assert converted(tmp_path / "a.csv", error) == ["plain", text]


OTHERS = (
    ("CP1251", "Этот фильм мне понравился"),
    ("KOI8-R", "Этот фильм мне понравился"),
    ("CP866", "Этот фильм мне понравился"),
    ("MACINTOSH", "Ça me plaît, été où naïf, señor Núñez"),
    ("MACINTOSH", "Müller, “so schön”, don’t"),
    ("CP850", "été à la crème, Müller"),
    ("SHIFT_JIS", "この映画は面白い"),
    ("EUC-JP", "この映画は面白い"),
    ("GBK", "我喜欢这部电影"),
    ("BIG5", "我喜歡這部電影"),
    ("EUC-KR", "이 영화는 재미있다"),
    ("CP1250", "łódź, książka, żółw"),
    ("ISO-8859-2", "łódź, książka, żółw"),
    ("CP1254", "güneşli bir gün, İstanbul, ağaç"),
    ("CP1253", "αυτή η ταινία μου άρεσε"),
    ("CP1255", "הסרט הזה היה טוב"),
    ("CP1256", "هذا الفيلم جيد"),
    ("TIS-620", "หนังเรื่องนี้ดี"),
)


@pytest.mark.parametrize(("name", "text"), OTHERS)
def test_other_code_pages_are_not_taken_for_western_ones(tmp_path: Path, name: str, text: str) -> None:
    codec = "mac_roman" if name == "MACINTOSH" else name
    error = refusal(tmp_path / "a.csv", f'text,label\n"{text}",y\nplain,x\n'.encode(codec))
    assert "LATIN1" not in error.remedy and "CP1252" not in error.remedy
    assert "find out which encoding" in error.remedy
    assert converted(tmp_path / "a.csv", error, name) == [text, "plain"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_and_byte_are_named(tmp_path: Path, mark: bytes) -> None:
    first = mark + b'{"text": "coffee"}\n'
    error = refusal(tmp_path / "a.jsonl", first + b'{"text": "caf\xe9"}\n')
    assert error.line == 2
    assert f"not UTF-8 (byte 0xe9) at byte offset {len(first) + 13}" in str(error)
    # A file with UTF-8's mark is UTF-8; converted, its mark would become letters.
    assert ("iconv -f LATIN1 -t UTF-8 a.jsonl" in error.remedy) == (not mark)


def test_a_line_in_another_encoding_than_the_rest_is_no_reason_to_convert_the_file(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.txt", "café\nnaïve\n".encode() + "déjà\n".encode("cp1252"))
    assert "2 other lines are UTF-8, 1 not" in str(error) and error.line == 3
    assert "iconv" not in error.remedy
    # What is advised: to write that line anew.
    (tmp_path / "a.txt").write_bytes((tmp_path / "a.txt").read_bytes().replace(b"d\xe9j\xe0", "déjà".encode()))
    assert [row.text for row in read_rows(tmp_path / "a.txt")] == ["café", "naïve", "déjà"]


@pytest.mark.parametrize("name", ["UTF-16", "UTF-16LE", "UTF-16BE"])
@pytest.mark.parametrize("text", ["plain words", "señor Núñez", "“so”"])
def test_utf16_with_and_without_its_mark(tmp_path: Path, name: str, text: str) -> None:
    error = refusal(tmp_path / "a.csv", f"text,label\n{text},x\nplain,y\n".encode(name))
    assert f"iconv -f {name} -t UTF-8 a.csv" in error.remedy
    assert converted(tmp_path / "a.csv", error) == [text, "plain"]


def test_a_stray_nul_byte(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.csv", b"text\na\x00b\nc\n")
    assert "line 2: a NUL byte at byte offset 6" in str(error)
    assert converted(tmp_path / "a.csv", error) == ["ab", "c"]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.csv", b"PK\x03\x04\x14\x00\x06\x00\xff\xfe")
    assert "Excel workbook" in str(error) and "save it as CSV" in error.remedy
    error = refusal(tmp_path / "a.jsonl", gzip.compress(b'{"text": "a"}\n{"text": "b"}\n'))
    assert converted(tmp_path / "a.jsonl", error) == ["a", "b"]
    assert "Parquet" in str(refusal(tmp_path / "b.csv", b"PAR1\x15\x04\xff\xfe"))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\none,x\n"two, three",y'),
        ("a.tsv", "text\tlabel\none\tx\ntwo, three\ty\n"),
        ("a.jsonl", '{"text": "one"}\n\n{"text": "two, three"}\n'),
        ("a.txt", "\ufeffone\ntwo, three\n"),
    ],
)
def test_line_ends_of_all_systems(tmp_path: Path, name: str, content: str, end: str) -> None:
    (tmp_path / name).write_bytes(content.replace("\n", end).encode())
    rows = read_rows(tmp_path / name)
    assert [row.text for row in rows] == ["one", "two, three"]
    assert rows[-1].line == (2 if name == "a.txt" else 3)


def test_a_file_that_was_converted_from_the_wrong_encoding_is_noted(tmp_path: Path) -> None:
    texts = ["“so good”", "5 € each", "plain", "it’s"]
    wrong = "".join(f"{text}\n" for text in texts).encode("cp1252").decode("latin1")
    (tmp_path / "unlabelled.txt").write_text(wrong, encoding="utf-8")
    [note] = [note for note in open_dataset(str(tmp_path)).notes if "control characters" in note]
    assert "3 of 4 unlabelled texts" in note
    # What the note says gives the right texts.
    command = note.rpartition(": ")[2].replace("FILE", "unlabelled.txt")
    subprocess.run(command + " > right.txt", shell=True, cwd=tmp_path, check=True)
    assert [row.text for row in read_rows(tmp_path / "right.txt")] == texts


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        ("“façade” – 5 €", "cp1252", "CP1252"),
        ("façade et crème", "latin-1", "LATIN1"),
        ("привет, мир", "cp1251", "ENCODING"),
    ],
)
def test_a_line_of_standard_input_names_its_encoding(text: str, encoding: str, named: str):
    [first, (line, problem)] = lines_of(io.BytesIO(b"plain\n" + text.encode(encoding) + b"\n"), "standard input")
    assert first == (1, "plain\n") and line == 2
    assert isinstance(problem, DataError) and f"iconv -f {named} " in str(problem)
    if named != "ENCODING":
        command = problem.remedy.partition(": ")[2].partition(" (")[0]
        done = subprocess.run(command.split(), input=text.encode(encoding), capture_output=True, check=True)
        assert done.stdout.decode() == text
