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
