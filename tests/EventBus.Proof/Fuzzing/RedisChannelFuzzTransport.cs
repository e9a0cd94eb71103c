using System.Text;
using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>
/// Sends fuzz messages to Pub/Sub channels: envelopes in the structured mode of CloudEvents, or bodies alone.
/// </summary>
internal sealed class RedisChannelFuzzTransport(IDatabase database, ConnectionMultiplexer ticking) : FuzzTransport
{
    private static readonly string[] OddJson = [
        "null",
        "true",
        "7",
        "1e999",
        "-0.0",
        "[]",
        "{}",
        "[1,{\"a\":null}]",
        "\"\\ud800\"",
        "\"\"",
        $"{{\"{FuzzMark.Canary}\":1}}"
    ];

    public override async Task<bool> PublishAsync(FuzzMessage message) =>
        await SendAsync(database, Encoding.UTF8.GetString(message.Route), PayloadOf(message));

    public override async Task PublishTickAsync(long number) =>
        await SendAsync(ticking.GetDatabase(), FuzzProof.TickEvent, Utf8($"{{\"number\":{number}}}"));

    public override ValueTask DisposeAsync() => ticking.DisposeAsync();

    private static async Task<bool> SendAsync(IDatabase database, string name, byte[] payload)
    {
        var heard = (long)await database.ExecuteAsync("PUBLISH", Buses.ChannelOf(name), payload);
        return heard == 1 ? true : throw new ProofException($"A message was received by {heard} connections instead of one.");
    }

    private static byte[] PayloadOf(FuzzMessage message)
    {
        var body = message.Body ?? [];
        if (message.Attributes.Count == 0)
        {
            return body;
        }

        var chance = message.Chance;
        var members =
            message.Attributes.ConvertAll(attribute => (Name: Quoted(Utf8(attribute.Name), chance), Value: attribute.Name == "eventversion"
                && chance.Hits(2)
                && attribute.Value.Length > 0 ? attribute.Value : Quoted(attribute.Value, chance)));
        members.AddRange(message.Headers.Select(header => (Quoted(header.Name, chance), Quoted(header.Value, chance))));
        if (message.Kind == FuzzKind.Garbage ? !chance.Hits(4) : chance.Hits(8))
        {
            members.Add((Utf8("\"data_base64\""), Utf8($"\"{Convert.ToBase64String(body)}\"")));
        }
        else
        {
            members.Add((Utf8("\"data\""), body));
        }

        return message.IsOdd
            ? Spoil(members, chance, message.Kind == FuzzKind.Hostile ? 8 : chance.Below(12), message.Number)
            : Join(members);
    }

    private static byte[] Spoil(List<(byte[] Name, byte[] Value)> members, Chance chance, int way, long number)
    {
        var index = chance.Below(members.Count - 1);
        switch (way)
        {
            case 0:
                // The id keeps its value.
                members[index] = (members[index].Name, Utf8(members[index].Name.AsSpan().SequenceEqual("\"id\""u8)
                    ? chance.Pick($"{number}", "null", "[]")
                    : chance.Pick(OddJson)));
                break;
            case 1:
                members.Add(members[index]);
                break;
            case 2:
                members.Add((Utf8("\"data_base64\""), Utf8(chance.Pick("\"AA==\"", "\"A\"", "\"%\"", "7", "null"))));
                break;
            case 3:
                members.RemoveAt(members.Count - 1);
                break;
            case 4:
                return [.. Join(members), .. Utf8(chance.Pick(" ", "x", "{}", "\0", "//", "/* */"))];
            case 5:
                return [.. Utf8(chance.Pick("\ufeff", " ", "/* */", "[")), .. Join(members)];
            case 6:
                members.Add((Utf8("\"headers\""), Utf8(chance.Pick(
                    "\"{\\\"X-A\\\":\\\"1\\\"}\"",
                    "\"{\\\"X-A\\\":1}\"",
                    "\"[]\"",
                    "\"{\"",
                    "7",
                    "\"{\\\"a\\\":\\\"\\\\ud800\\\"}\""))));
                break;
            case 7:
                members.Add((Utf8("\"deep\""), Utf8(new string('[', 900) + new string(']', 900))));
                break;
            case 8:
                members.Add((Utf8("\"deep\""), Utf8(new string('[', 50_000))));
                break;
            case 9:
                members[index] = (Utf8(Encoding.UTF8.GetString(members[index].Name).ToUpperInvariant()), members[index].Value);
                break;
            case 10:
                var whole = Join(members);
                return whole[..(whole.Length - chance.Between(1, 20))];
            default:
                members.Insert(index, ([.. "\""u8, .. FuzzTexts.Odd(chance), .. "\""u8], Utf8(chance.Pick(OddJson))));
                break;
        }

        return Join(members);
    }

    /// <summary>
    /// Returns a JSON string. Invalid UTF-8 stays invalid, and a control character is sometimes not escaped.
    /// </summary>
    private static byte[] Quoted(byte[] text, Chance chance)
    {
        var isStrict = !chance.Hits(30);
        using var buffer = new MemoryStream();
        buffer.WriteByte((byte)'"');
        foreach (var unit in text)
        {
            buffer.Write(unit switch
            {
                (byte)'"' or (byte)'\\' => [(byte)'\\', unit],
                < 0x20 when isStrict => Utf8($"\\u{(int)unit:x4}"),
                _ => [unit],
            });
        }

        buffer.WriteByte((byte)'"');
        return buffer.ToArray();
    }

    private static byte[] Join(List<(byte[] Name, byte[] Value)> members)
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

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
