using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>Damages a valid message in ways that depend only on a seed.</summary>
internal sealed class Mutation(int seed, string name, byte[] body)
{
    private static readonly byte[] Syntax = Encoding.UTF8.GetBytes("{}[]\":,\\-+.eE0123456789 \t\ntruefalsn");

    private static readonly string[] Texts =
        [
            "null",
            "true",
            "\"\"",
            "[]",
            "{}",
            "-1",
            "1e999",
            "99999999999999999999",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "[[[[[[[[",
            "\"$type\":\"a\",",
            "\uFEFF",
            "NaN",
            "//",
            "\"grams\":1,"
        ];

    private static readonly string[] ContentTypes = ["text/plain", "", ";", "application/json;", "+json", "application/json\u0000"];

    private readonly Random random = new(seed);

    public (EnvelopeAttributes Attributes, byte[] Body) Next(string id)
    {
        var bytes = body.ToList();
        for (var damage = random.Next(4); damage > 0; damage--)
        {
            Damage(bytes);
        }

        var attributes = new EnvelopeAttributes
        {
            Id = id,
            Name = Rarely() ? Garble(name) : name,
            Version = Rarely() ? random.Next(int.MinValue, int.MaxValue) : 1,
            ContentType = Rarely() ? ContentTypes[random.Next(ContentTypes.Length)] : "application/json",
            Key = Rarely() ? Garble(name) : null,
            CorrelationId = Rarely() ? Garble(name) : null,
            TraceParent = Rarely() ? Garble("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") : null,
            Time = Rarely() ? DateTimeOffset.MaxValue : DateTimeOffset.UnixEpoch,
            Headers = Rarely() ? new Dictionary<string, string> { [Garble(name)] = Garble(name) } : null,
        };
        return (attributes, [.. bytes]);
    }

    private void Damage(List<byte> bytes)
    {
        var at = random.Next(bytes.Count + 1);
        var length = Math.Min(random.Next(1, 9), bytes.Count - at);
        switch (random.Next(7))
        {
            case 0 when length > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when length > 0:
                bytes[at] = Syntax[random.Next(Syntax.Length)];
                break;
            case 2:
                bytes.Insert(at, (byte)random.Next(256));
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 5:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)]));
                break;
            default:
                bytes.RemoveRange(at, random.Next(8) == 0 ? bytes.Count - at : 0);
                break;
        }
    }

    private bool Rarely() => random.Next(20) == 0;

    private string Garble(string text) => text.Insert(random.Next(text.Length), ((char)random.Next(0xFFFF)).ToString());
}
