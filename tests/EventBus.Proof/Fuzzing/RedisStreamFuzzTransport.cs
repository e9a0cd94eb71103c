using System.Text;
using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>Sends fuzz messages as stream entries.</summary>
internal sealed class RedisStreamFuzzTransport(IDatabase database, ConnectionMultiplexer ticking) : FuzzTransport
{
    public override async Task<bool> PublishAsync(FuzzMessage message)
    {
        var fields = FieldsOf(message);
        object[] arguments = [
            (RedisKey)Buses.StreamOf(message.Route.AsSpan().StartsWith("fuzz"u8) ? "fuzz" : FuzzGenerator.WildWord),
            "*",
            .. fields.SelectMany(field => new object[] { field.Name, field.Value })
        ];
        await database.ExecuteAsync("XADD", arguments);
        return true;
    }

    public override Task PublishTickAsync(long number) =>
        ticking.GetDatabase()
            .ExecuteAsync("XADD", (RedisKey)Buses.StreamOf("tick"), "*", "type", FuzzProof.TickEvent, "data", $"{{\"number\":{number}}}");

    public override ValueTask DisposeAsync() => ticking.DisposeAsync();

    private static List<(byte[] Name, byte[] Value)> FieldsOf(FuzzMessage message)
    {
        List<(byte[] Name, byte[] Value)> fields = [.. message.Attributes.Select(attribute => (Utf8(attribute.Name), attribute.Value))];
        if (message.Attributes.Count == 0)
        {
            fields.Add((Utf8("type"), message.Route));
        }

        fields.AddRange(message.Headers.Select(header => ((byte[])[.. "header:"u8, .. header.Name], header.Value)));
        fields.Add((Utf8("data"), message.Body ?? []));
        if (message.IsOdd)
        {
            Spoil(fields, message.Chance, message.Kind == FuzzKind.Hostile ? 3 : message.Chance.Below(8));
        }

        return fields;
    }

    /// <summary>Damages the fields. The marker is kept in the body or in the id.</summary>
    private static void Spoil(List<(byte[] Name, byte[] Value)> fields, Chance chance, int way)
    {
        switch (way)
        {
            case 0:
                fields.RemoveAt(fields.Count - 1);
                break;
            case 1:
                fields.Insert(0, (Utf8("data"), chance.Bytes(20)));
                break;
            case 2:
                fields.Add((Utf8("data"), []));
                break;
            case 3:
                for (var i = 0; i < 5_000; i++)
                {
                    fields.Add((Utf8($"unknown{i}"), Utf8(FuzzMark.Canary)));
                }

                break;
            case 4:
                fields.Insert(chance.Below(fields.Count), ([], Utf8(FuzzMark.Canary)));
                fields.Insert(chance.Below(fields.Count), (Utf8("header:"), Utf8(FuzzMark.Canary)));
                break;
            case 5:
                fields.Insert(chance.Below(fields.Count), (FuzzTexts.Odd(chance), FuzzTexts.Odd(chance)));
                break;
            case 6:
                fields.RemoveAll(field => Encoding.UTF8.GetString(field.Name) is "type");
                break;
            default:
                var index = chance.Below(fields.Count);
                fields[index] = (Utf8(Encoding.UTF8.GetString(fields[index].Name).ToUpperInvariant()), fields[index].Value);
                break;
        }
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
