#include "base/utf8.h"

int32_t utf8_next(const unsigned char *text, size_t length, unsigned *ret_bytes)
{
	/* by bytes: no overlong forms */
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = text[0];
	unsigned bytes = c < 0x80   ? 1
	    : c >= 0xf0 && c < 0xf8 ? 4
	    : c >= 0xe0 && c < 0xf0 ? 3
	    : c >= 0xc0 && c < 0xe0 ? 2
				    : 0;
	*ret_bytes = 1;
	if (bytes == 0 || bytes > length)
		return -1;
	int32_t point = bytes == 1 ? c : c & (0x7f >> bytes);
	for (unsigned i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return -1;
		point = point << 6 | (text[i] & 0x3f);
	}
	bool surrogate = point >= 0xd800 && point <= 0xdfff;
	if (point < least[bytes] || point > 0x10ffff || surrogate)
		return -1;
	*ret_bytes = bytes;
	return point;
}

bool utf8_unprintable(int32_t point)
{
	static const struct {
		int32_t first, last;
	} hidden[] = {
		{ INT32_MIN, 0x1f }, { 0x7f, 0x9f },
		{ 0x200b, 0x200f }, /* of no width; direction */
		{ 0x2028, 0x202e }, /* ends of lines; direction */
		{ 0x2060, 0x206f }, /* of no width; direction */
		{ 0xfeff, 0xfeff }, /* byte order */
	};
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (point <= hidden[i].last)
			return point >= hidden[i].first;
	return false;
}
