using System.Globalization;
using System.Text;

namespace EventBus.Proof;

/// <summary>Creates the bodies of fuzz messages: the JSON of the event with at most one error.</summary>
internal sealed class FuzzBody
{
    private readonly List<(byte[] Name, byte[] Value)> members = [];

    private FuzzBody(long number, Chance chance)
    {
        Add("mark", $"\"{FuzzMark.Of(number)}\"");
        Add("number", $"{number}");
        Add("count", $"{chance.Below(1_000)}");
        Add("price", $"{chance.Below(10_000)}.{chance.Below(100):00}");
        Add("ratio", (chance.Below(1_000_000) / 997.0).ToString("R", CultureInfo.InvariantCulture));
        Add("at", $"\"2026-11-{chance.Between(1, 30):00}T{chance.Below(24):00}:00:00Z\"");
        Add("reference", $"\"{new Guid(chance.Bytes(16))}\"");
        Add("isUrgent", chance.Hits(2) ? "true" : "false");
        Add("note", $"\"{FuzzMark.Canary} {chance.Below(1_000)}\"");
        Add("map", $"{{\"{FuzzMark.Canary}@example.com\":\"{FuzzMark.Canary}\",\"k\":\"v\"}}");
        Add("items", $"[{string.Join(',', Enumerable.Range(0, chance.Below(5)))}]");
        Add("node", "{\"children\":[]}");
    }

    public static byte[] Write(FuzzKind kind, long number, Chance chance)
    {
        var body = new FuzzBody(number, chance);
        switch (kind)
        {
            case FuzzKind.Numbers:
                body.Replace(
                    chance.Pick("number", "count", "price", "ratio", "items", "at"),
                    chance.Hits(4) ? $"[{chance.Pick(FuzzValues.OddNumbers)}]" : chance.Pick(FuzzValues.OddNumbers));
                break;
            case FuzzKind.WrongTypes:
                body.Spoil(chance);
                break;
            case FuzzKind.Duplicates:
                body.Repeat(chance);
                break;
            case FuzzKind.Encodings:
                return body.Encode(chance);
            case FuzzKind.ControlCharacters:
                body.Control(chance);
                break;
            case FuzzKind.Nesting:
                body.Nest(chance);
                break;
            case FuzzKind.Sizes:
                body.Grow(chance);
                break;
            case FuzzKind.Garbage:
                return Garbage(body.Join(), number, chance);
            default:
                break;
        }

        return body.Join();
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Garbage(byte[] whole, long number, Chance chance)
    {
        var mark = Utf8(FuzzMark.Of(number));
        return chance.Below(10) switch
        {
            0 => [],
            1 => Utf8(chance.Pick(" ", "\n", "null", "\"\"", "0", "[]", "{", "}", "\0", "tru", "{}x")),
            2 => [.. mark, .. chance.Bytes(chance.Below(300))],
            3 => [.. Utf8($"<order><mark>{FuzzMark.Of(number)}</mark><note>{FuzzMark.Canary}</note></order>")],
            4 => [0x1F, 0x8B, 0x08, 0x00, .. chance.Bytes(40), .. mark],
            5 => [.. mark, .. new byte[chance.Below(1_000)]],
            6 => whole[..chance.Below(whole.Length)],
            7 => [.. whole, .. whole],
            8 => Flip(whole, chance),
            _ => [.. Utf8($"{FuzzMark.Canary}\r\n{FuzzMark.ForeignText} crit: "), .. mark],
        };
    }

    /// <summary>Changes a few bytes. The marker at the beginning is kept.</summary>
    private static byte[] Flip(byte[] whole, Chance chance)
    {
        for (var i = chance.Between(1, 4); i > 0; i--)
        {
            whole[chance.Between(30, whole.Length - 1)] = (byte)chance.Below(256);
        }

        return whole;
    }

    private void Add(string name, string value) => members.Add((Utf8($"\"{name}\""), Utf8(value)));

    private void Replace(string name, string value) => Replace(name, Utf8(value));

    private void Replace(string name, byte[] value)
    {
        var index = members.FindIndex(member => member.Name.AsSpan().SequenceEqual(Utf8($"\"{name}\"")));
        members[index] = (members[index].Name, value);
    }

    private void Spoil(Chance chance)
    {
        var index = chance.Between(1, members.Count - 1);
        switch (chance.Below(6))
        {
            case 0:
                members.RemoveAt(index);
                break;
            case 1:
                Replace("map", $"{{\"{FuzzMark.Canary}\":{chance.Pick(FuzzValues.OddValues)}}}");
                break;
            case 2:
                members[0] = (members[0].Name, Utf8($"[\"{FuzzMark.Canary}\",\"{Encoding.UTF8.GetString(members[0].Value).Trim('"')}\"]"));
                break;
            default:
                members[index] = (members[index].Name, Utf8(chance.Pick(FuzzValues.OddValues)));
                break;
        }
    }

    private void Repeat(Chance chance)
    {
        var (name, value) = members[chance.Below(members.Count)];
        switch (chance.Below(4))
        {
            case 0:
                members.Add((name, value));
                break;
            case 1:
                members.Add((Utf8(Encoding.UTF8.GetString(name).ToUpperInvariant()), value));
                break;
            case 2:
                Replace("map", $"{{\"{FuzzMark.Canary}\":\"1\",\"{FuzzMark.Canary}\":\"2\"}}");
                break;
            default:
                members.Add((Utf8($"\"{FuzzMark.Canary}\""), value));
                members.Add((Utf8($"\"{FuzzMark.Canary}\""), value));
                break;
        }
    }

    private byte[] Encode(Chance chance)
    {
        var bad = chance.Pick(FuzzValues.BadUtf8);
        switch (chance.Below(8))
        {
            case 0:
                return [0xEF, 0xBB, 0xBF, .. Join()];
            case 1:
                return [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(Join()))];
            case 2:
                return Encoding.BigEndianUnicode.GetBytes(Encoding.UTF8.GetString(Join()));
            case 3:
                Replace("map", [.. "{\""u8, .. Utf8(FuzzMark.Canary), .. bad, .. "\":\"\"}"u8]);
                return Join();
            case 4:
                Replace("note", chance.Pick(
                    "\"\\ud800\"",
                    "\"\\udc00\\ud800\"",
                    "\"\\ud83d\\ude00\"",
                    "\"\\u0000\"",
                    "\"\\uFFFE\"",
                    "\"\\x41\"",
                    "\"\\u12\""));
                return Join();
            case 5:
                members.Add(([.. "\"\\ud800"u8, .. Utf8(FuzzMark.Canary), .. "\""u8], "1"u8.ToArray()));
                return Join();
            default:
                Replace("note", [.. "\""u8, .. Utf8(FuzzMark.Canary), .. bad, .. "\""u8]);
                return Join();
        }
    }

    private void Control(Chance chance)
    {
        var character = chance.Pick(
            "\0",
            "\n",
            "\r\n",
            "\t",
            "\u001b[31m",
            "\u0007",
            "\u007f",
            "\u0085",
            "\u2028",
            "\u202e",
            "\u200b",
            "\ufeff");
        var text = $"{FuzzMark.Canary}{character}{FuzzMark.ForeignText}";
        switch (chance.Below(4))
        {
            case 0:
                Replace("note", $"\"{text}\"");
                break;
            case 1:
                Replace("map", $"{{\"{text}\":\"v\"}}");
                break;
            case 2:
                Replace(
                    "map",
                    $"{{\"{string.Concat(text.Select(unit => char.IsAsciiLetterOrDigit(unit) ? $"{unit}" : $"\\u{(int)unit:x4}"))}\":[]}}");
                break;
            default:
                members.Insert(1, (Utf8($"{character}\"note\""), Utf8($"{character}\"v\"{character}")));
                break;
        }
    }

    private void Nest(Chance chance)
    {
        var depth = chance.Hits(8) ? chance.Pick(999, 1_000, 1_001, 10_000, 50_000) : chance.Pick(5, 20, 29, 30, 31, 32, 33, 64, 100);
        switch (chance.Below(5))
        {
            case 0:
                Replace("node", $"{Repeated("{\"children\":[", depth)}{Repeated("]}", depth)}");
                break;
            case 1:
                Replace("items", new string('[', depth) + new string(']', depth));
                break;
            case 2:
                members.Add((Utf8("\"other\""), Utf8(new string('[', depth) + new string(']', depth))));
                break;
            case 3:
                members.Add((Utf8("\"other\""), Utf8($"{Repeated("{\"a\":", depth)}1{new string('}', depth)}")));
                break;
            default:
                members.Add((Utf8("\"other\""), Utf8(new string('[', depth))));
                break;
        }

        static string Repeated(string text, int count) => new StringBuilder(text.Length * count).Insert(0, text, count).ToString();
    }

    private void Grow(Chance chance)
    {
        // Most are small enough to be handled; some exceed the limit of 256 KB, a few by far.
        var size = chance.Hits(100) ? 4 << 20
            : chance.Hits(10) ? chance.Pick(256 << 10, 1 << 20)
            : chance.Pick(1 << 10, 8 << 10, 60 << 10, 64 << 10, 120 << 10, 200 << 10, 255 << 10);
        switch (chance.Below(4))
        {
            case 0:
                Replace("map", $"{{{string.Join(',', Enumerable.Range(0, size / 24).Select(i => $"\"{i:x8}\":\"{i:x8}\""))}}}");
                break;
            case 1:
                Replace("items", $"[{string.Join(',', Enumerable.Range(0, size / 8).Select(i => i % 1_000))}]");
                break;
            case 2:
                members.Add((Utf8("\"other\""), Utf8($"\"{new string('\u00e9', size / 2)}\"")));
                break;
            default:
                Replace("note", $"\"{FuzzMark.Canary}{new string('a', size)}\"");
                break;
        }
    }

    private byte[] Join()
    {
        using var buffer = new MemoryStream();
        buffer.WriteByte((byte)'{');
        foreach (var (name, value) in members)
        {
            buffer.Write(buffer.Length == 1 ? [] : ","u8);
            buffer.Write(name);
            buffer.WriteByte((byte)':');
            buffer.Write(value);
        }

        buffer.WriteByte((byte)'}');
        return buffer.ToArray();
    }
}
