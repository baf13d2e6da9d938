"""Values and functions as bytes (plm/_values.py, plm/_functions.py), without a runtime."""

from __future__ import annotations

import pickle
import sys
import unittest
from unittest import mock

import support

from plm import _functions, _values

try:
    import numpy as np
except ImportError:
    np = None


class Stubborn:
    def __reduce__(self) -> str:
        raise RuntimeError("no pickles of me")


class Values(unittest.TestCase):
    def back(self, value: object) -> object:
        return _values.load(bytes(_values.dump(value)))

    def test_plain_values_come_back(self) -> None:
        for value in (None, 1, "a", b"b" * 5000, (1, [2, {"k": {3}}]), 1.5, True):
            self.assertEqual(self.back(value), value)

    def test_a_small_value_is_a_plain_pickle(self) -> None:
        self.assertEqual(pickle.loads(bytes(_values.dump((1, 2)))), (1, 2))

    def test_a_large_buffer_lies_beside_the_pickle_and_is_read_only(self) -> None:
        data = bytearray(b"x" * 100_000)
        frame = _values.dump(pickle.PickleBuffer(data))
        self.assertIsInstance(frame, _values.Frame)
        assert isinstance(frame, _values.Frame)
        self.assertLess(len(frame.data), 200)
        written = bytes(frame)
        back = memoryview(_values.load(written))
        self.assertTrue(back.readonly)
        self.assertEqual(bytes(back), bytes(data))

    def test_each_buffer_begins_at_a_multiple_of_64(self) -> None:
        frame = _values.dump([pickle.PickleBuffer(bytearray(n)) for n in (1025, 2049, 4097)])
        assert isinstance(frame, _values.Frame)
        self.assertEqual([place % 64 for place in frame.places], [0, 0, 0])

    def test_memoryviews_come_back_with_form_and_shape(self) -> None:
        numbers = memoryview(bytes(range(240)) * 10).cast("I", (20, 30))
        for view in (
            memoryview(b"short"),
            memoryview(bytes(5000)),
            numbers,
            numbers.cast("B")[::2],
        ):
            back = self.back({"view": view})
            assert isinstance(back, dict)
            self.assertTrue(back["view"].readonly or view.nbytes < 1024)
            self.assertEqual(back["view"].format, view.format)
            self.assertEqual(back["view"].tolist(), view.tolist())

    def test_a_cut_frame_is_an_error(self) -> None:
        written = bytes(_values.dump(pickle.PickleBuffer(bytearray(5000))))
        for cut in (len(written) - 1, 60, 40):
            with self.assertRaises(Exception):
                _values.load(written[:cut])

    def test_wild_bytes_are_an_error_and_no_crash(self) -> None:
        import random

        draw = random.Random(7)
        good = bytes(_values.dump(pickle.PickleBuffer(bytearray(5000))))
        for _ in range(2000):
            wild = bytearray(good)
            for _ in range(draw.randrange(1, 6)):
                wild[draw.randrange(80)] = draw.randrange(256)
            try:
                _values.load(bytes(wild))
            except Exception:
                continue

    @unittest.skipIf(np is None, "numpy is not installed")
    def test_an_array_is_a_view_of_the_frame(self) -> None:
        array = np.arange(10_000, dtype=np.float32).reshape(100, 100)
        written = bytes(_values.dump({"a": array, "b": array[:, ::2]}))
        back = _values.load(written)
        self.assertFalse(back["a"].flags.owndata)
        self.assertFalse(back["a"].flags.writeable)
        np.testing.assert_array_equal(back["a"], array)
        np.testing.assert_array_equal(back["b"], array[:, ::2])

    def test_what_cannot_be_pickled_names_type_and_remedy(self) -> None:
        with mock.patch.dict(sys.modules, {"cloudpickle": None}):
            with self.assertRaisesRegex(TypeError, "install cloudpickle"):
                _values.dump(lambda: 1)
        with self.assertRaises(Exception):
            _values.dump(Stubborn())


class Functions(unittest.TestCase):
    def back(self, function: object) -> object:
        return _functions.decode(_functions.encode(function))  # type: ignore[arg-type]

    def test_a_function_of_a_module_travels_by_name(self) -> None:
        self.assertEqual(_functions.encode(pow), b"nbuiltins\0pow")
        self.assertIs(self.back(pow), pow)

    def test_a_method_travels_by_value(self) -> None:
        self.assertEqual(self.back(support.Point(3).plus)(4), 7)  # type: ignore[operator]

    def test_equal_functions_have_equal_texts(self) -> None:
        self.assertEqual(
            _functions.encode(support.Point(3).plus),
            _functions.encode(support.Point(3).plus),
        )

    def test_a_chunk_calls_the_function_for_each_row(self) -> None:
        run = _functions.decode(_functions.FOR_EACH + _functions.encode(pow))
        self.assertEqual(run([(2, 3), (3, 2)]), [8, 9])

    def test_an_initializer_is_split_from_the_text(self) -> None:
        joined = _functions.join_initializer(7, b"pickle", b"text")
        self.assertEqual(_functions.split_initializer(joined), (7, b"pickle", b"text"))
        self.assertEqual(_functions.split_initializer(b"ntext"), (0, b"", b"ntext"))

    def test_a_text_of_no_kind_is_an_error(self) -> None:
        with self.assertRaises(ValueError):
            _functions.decode(b"?")

    def test_a_function_of_the_program_needs_no_cloudpickle(self) -> None:
        done = support.script(
            "import sys\nsys.modules['cloudpickle'] = None\n"
            "import tempfile, pathlib, os\n"
            "folder = tempfile.mkdtemp()\n"
            "path = pathlib.Path(folder, 'program.py')\n"
            "path.write_text('''\n"
            "import sys\n"
            'sys.modules["cloudpickle"] = None\n'
            "import plm\n"
            "class Box:\n"
            "    def __init__(self, v): self.v = v\n"
            "def double(box): return Box(2 * box.v)\n"
            'if __name__ == "__main__":\n'
            "    with plm.Executor(1) as pool:\n"
            "        print(pool.submit(double, Box(21)).result().v)\n"
            "        print(pool.submit(getattr, Box(4), 'v').result())\n"
            "''')\n"
            "import subprocess\n"
            "print(subprocess.run([sys.executable, path], capture_output=True, text=True).stdout)\n"
            "import shutil; shutil.rmtree(folder)\n"
        )
        self.assertEqual(done.stdout.split(), ["42", "4"])


if __name__ == "__main__":
    support.main()
