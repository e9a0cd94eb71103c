using System.Text;

namespace EventBus.Proof;

/// <summary>The properties of an AMQP message in the wire format.</summary>
internal sealed class AmqpProperties
{
    private const int ContentType = 15;
    private const int ContentEncoding = 14;
    private const int HeaderTable = 13;
    private const int DeliveryMode = 12;
    private const int Priority = 11;
    private const int CorrelationId = 10;
    private const int ReplyTo = 9;
    private const int MessageId = 7;
    private const int Timestamp = 6;
    private const int Type = 5;
    private const int AppId = 3;
    private const int ClusterId = 2;
    private const int Most = AmqpSocket.MostProperties - 2_048;

    private readonly SortedDictionary<int, byte[]> properties = new(Comparer<int>.Create((left, right) => right - left));
    private readonly List<(byte[] Name, byte[] Field)> headers = [];

    public AmqpProperties(FuzzMessage message)
    {
        var chance = message.Chance;
        properties[DeliveryMode] = [2];
        var prefix = chance.Hits(4) ? "cloudEvents:" : "cloudEvents_";
        foreach (var (name, value) in message.Attributes)
        {
            if (name == "datacontenttype")
            {
                properties[ContentType] = AmqpSocket.Short(value);
            }
            else
            {
                headers.Add((Utf8(prefix + name), Text(value)));
            }

            if (name == "id" && chance.Hits(2))
            {
                properties[MessageId] = AmqpSocket.Short(value);
            }
        }

        if (message.Attributes.Count == 0 && chance.Hits(2))
        {
            properties[ContentType] = AmqpSocket.Short("application/json"u8);
            properties[MessageId] = AmqpSocket.Short(Utf8(FuzzMark.Of(message.Number)));
        }

        headers.AddRange(message.Headers.Select(header => (header.Name, Text(header.Value))));
        if (message.Kind == FuzzKind.Hostile)
        {
            headers.Insert(
                chance.Below(headers.Count + 1),
                (chance.Hits(2) ? Utf8("h") : FuzzTexts.Odd(chance), AmqpField.Hostile(chance, message.Number)));
        }
        else if (message.IsOdd)
        {
            Spoil(chance, message.Number);
        }
    }

    public byte[] Write()
    {
        if (headers.Count > 0)
        {
            using var table = new MemoryStream();
            foreach (var (name, field) in headers.Where(header => table.Length + header.Name.Length + header.Field.Length < Most))
            {
                table.Write(AmqpSocket.Short(name));
                table.Write(field);
            }

            properties[HeaderTable] = AmqpSocket.Long(table.ToArray());
        }

        return [
            .. AmqpSocket.UInt16(properties.Keys.Aggregate(0, (flags, bit) => flags | (1 << bit))),
            .. properties.Values.SelectMany(value => value)
        ];
    }

    private static byte[] Text(ReadOnlySpan<byte> value) => [(byte)'S', .. AmqpSocket.Long(value)];

    private void Spoil(Chance chance, long number)
    {
        switch (chance.Below(8))
        {
            case 0:
                properties[Timestamp] =
                    AmqpSocket.UInt64(chance.Pick<ulong>(0, 1, ulong.MaxValue, long.MaxValue, 253_402_300_800, 1_764_417_600_000));
                headers.RemoveAll(header => Encoding.UTF8.GetString(header.Name).EndsWith("time", StringComparison.Ordinal));
                break;
            case 1:
                properties[ContentEncoding] =
                    AmqpSocket.Short(chance.Pick(Utf8("gzip"), Utf8("utf-8"), Utf8("UTF-8"), FuzzTexts.Odd(chance)));
                break;
            case 2:
                properties[CorrelationId] = AmqpSocket.Short(FuzzTexts.Odd(chance));
                properties[Type] = AmqpSocket.Short(FuzzTexts.Odd(chance));
                properties[AppId] = AmqpSocket.Short(FuzzTexts.Odd(chance));
                properties[Priority] = [(byte)chance.Below(256)];
                properties[ReplyTo] = AmqpSocket.Short([.. "r"u8, .. FuzzTexts.Odd(chance)]);
                properties[ClusterId] = AmqpSocket.Short(FuzzTexts.Odd(chance));
                break;
            case 3:
                headers.Insert(chance.Below(headers.Count + 1), (Utf8("x-delivery-count"), AmqpField.Any(chance, 0)));
                headers.Add((
                    Utf8(chance.Pick("x-death", "x-first-death-queue", "x-acquired-count", "eventbus-starts", "eventbus-number")),
                    AmqpField.Any(chance, 0)));
                break;
            case 4:
                headers.Add(headers[chance.Below(headers.Count)]);
                headers.Add(([], AmqpField.Any(chance, 0)));
                break;
            case 5:
                headers.Add((Utf8("h"), AmqpField.Deep(chance.Hits(2), chance.Between(1, 60))));
                break;
            default:
                // Replaces an attribute or a header by one of another type. The id keeps its value.
                var index = chance.Below(headers.Count);
                var isId = Encoding.UTF8.GetString(headers[index].Name).EndsWith("id", StringComparison.Ordinal);
                headers[index] = (headers[index].Name, isId ? [(byte)'l', .. AmqpSocket.UInt64((ulong)number)] : AmqpField.Any(chance, 0));
                headers.Add((FuzzTexts.Odd(chance), AmqpField.Any(chance, 0)));
                break;
        }
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
