namespace EventBus.Proof;

/// <summary>The invalid and unusual values from which the fuzzer chooses.</summary>
internal static class FuzzValues
{
    /// <summary>JSON numbers at and beyond the limits of number types, and texts that are not numbers.</summary>
    public static readonly string[] OddNumbers =
    [
        "0",
        "-0",
        "-1",
        "1.5",
        "1e2",
        "1E400",
        "-1e400",
        "1e-400",
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "79228162514264337593543950336",
        "0.00000000000000000000000000001",
        "01",
        "+1",
        ".5",
        "5.",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "1_000",
        "1,000",
        "١٢",
        "--1",
        "1e",
        "-",
        "\"1\"",
        "\"NaN\"",
        "\"1e5\"",
        "123456789012345678901234567890123456789012345678901234567890",
    ];

    /// <summary>JSON values of all types.</summary>
    public static readonly string[] OddValues =
    [
        "null",
        "true",
        "false",
        "0",
        "-7",
        "\"\"",
        "\"text\"",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "{\"a\":1}",
        "[1,\"2\",null,{}]",
        "\"0001-01-01\"",
        "\"9999-12-31T23:59:59.9999999+14:00\"",
        "\"2026-13-40T25:61:61Z\"",
        $"\"{FuzzMark.Canary}\"", $"{{\"{FuzzMark.Canary}\":[]}}", $"[\"{FuzzMark.Canary}\"]",
    ];

    /// <summary>Bytes that are not valid UTF-8.</summary>
    public static readonly byte[][] BadUtf8 = [
        [0xC0, 0x80],
        [0x80],
        [0xED, 0xA0, 0x80],
        [0xF0, 0x9F, 0x98],
        [0xFF, 0xFE],
        [0xF4, 0x90, 0x80, 0x80],
        [0xE9],
        [0xEF, 0xBF, 0xBF]
    ];
}
