/* map_regex.h - regular expressions of the options: POSIX extended ones, with the classes and
 * escapes of Perl that people type: \d \D \w \W \s \S \b, \t \n \r, and groups (?:...) .
 *
 * Refused, with a message: lazy repetition (*? +? ??), look-ahead, and flags within the expression,
 * because POSIX has nothing to put in their place. */
#ifndef PLM_CLI_MAP_REGEX_H
#define PLM_CLI_MAP_REGEX_H

#include <regex.h>

/* flags: of regcomp(), beyond REG_EXTENDED. 0, or -EINVAL with a why that names the option. */
int regex_make(regex_t *ret, const char *option, const char *expression, int flags);

#endif
