using System.Text;

namespace EventBus.Proof;

/// <summary>Creates foreign texts: too long, not UTF-8, with line breaks and escape sequences.</summary>
internal static class FuzzTexts
{
    private static readonly byte[][] Controls =
    [
        Utf8($"\n{FuzzMark.ForeignText} crit: all is lost"),
        Utf8($"\r\n{FuzzMark.ForeignText} info: all is well"),
        Utf8($"\r{FuzzMark.ForeignText}"),
        Utf8($"\u2028{FuzzMark.ForeignText}"),
        Utf8($"\u0085{FuzzMark.ForeignText}"),
        Utf8($"\v{FuzzMark.ForeignText}"),
        Utf8($"\f{FuzzMark.ForeignText}"),
        Utf8("\u001b[2J\u001b[31m"),
        Utf8("\0"),
        Utf8("\u0007\u0008\u007f"),
        Utf8("\u202e\u200b\ufeff"),
        Utf8("\t"),
        Utf8("<!channel> <https://example.com|here> @everyone *bold* `code`"),
        Utf8("{0} {name} %s %n ${jndi:x}"),
        Utf8("'; DROP TABLE failures; --"),
    ];

    private static readonly byte[][] Invalid = [
        [0xC0, 0x80],
        [0xFF],
        [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80],
        [0xF0, 0x9F],
        [0x80, 0x81, 0x82]
    ];

    public static byte[] Control(Chance chance) => chance.Pick(Controls);

    /// <summary>
    /// Returns any of these texts. It contains neither the number of the message nor the canary, because it may become
    /// an id.
    /// </summary>
    public static byte[] Odd(Chance chance) => chance.Below(8) switch
    {
        0 => [],
        1 => [.. "odd"u8, .. Control(chance)],
        2 => [.. "odd"u8, .. chance.Pick(Invalid)],
        3 => Utf8(new string('x', chance.Pick(64, 127, 128, 129, 255, 256, 512, 513, 1_023, 1_024, 1_025))),
        4 => Utf8(new string('ü', chance.Pick(64, 128, 255, 512, 1_024, 1_025))),
        5 => chance.Hits(10) ? Utf8(new string('y', chance.Pick(4_096, 16_384, 32_767, 65_535))) : Utf8("😀\u0301"),
        6 => Utf8(chance.Pick(
            "null",
            "0",
            "true",
            " ",
            ".",
            "..",
            "/",
            "\\",
            "\"",
            "'",
            "{}",
            "[]",
            "a b",
            "..\\..",
            "*",
            "#",
            "%00",
            "__proto__")),
        _ => chance.Bytes(chance.Between(1, 40)),
    };

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
