using System.Text;

namespace EventBus.Proof;

/// <summary>
/// Dead letters in the broker's own queue: taken from it as bytes, since a client may not survive them.
/// </summary>
internal sealed class QueuedDeadLetters : FuzzDeadLetters
{
    private readonly AmqpSocket socket;

    private QueuedDeadLetters(AmqpSocket socket) => this.socket = socket;

    public static async Task<QueuedDeadLetters> OpenAsync(Uri address, string queue, FuzzLedger ledger)
    {
        var socket = await AmqpSocket.ConnectAsync(address);
        await socket.ConsumeAsync(queue, (properties, body) =>
        {
            var number = FuzzMark.Find(body);
            var reason = Enum.TryParse<DeadLetterReason>(Header(properties, "eventbus-reason"), out var known)
                ? known
                : DeadLetterReason.ProcessEnded;
            ledger.Bury(number == FuzzMark.None ? FuzzMark.Find(properties) : number, reason, Header(properties, "eventbus-error"));
        });
        return new QueuedDeadLetters(socket);
    }

    public override Task ReadAsync() => Task.CompletedTask;

    public override ValueTask DisposeAsync() => socket.DisposeAsync();

    /// <summary>The text of a header, found by its name and its type: the table round it is not read.</summary>
    private static string? Header(ReadOnlySpan<byte> properties, string name)
    {
        byte[] key = [(byte)name.Length, .. Encoding.UTF8.GetBytes(name), (byte)'S'];

        // The last: those of the bus stand behind what the message came with.
        var start = properties.LastIndexOf(key);
        return start < 0 ? null : Encoding.UTF8.GetString(
            properties.Slice(start + key.Length + 4, (properties[start + key.Length + 2] << 8) | properties[start + key.Length + 3]));
    }
}
