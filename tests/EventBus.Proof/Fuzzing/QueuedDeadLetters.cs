using System.Text;

namespace EventBus.Proof;

/// <summary>
/// Reads the dead letters in the broker's own queue. They are read as bytes, because a client may fail to decode them.
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
            ledger.AddDeadLetter(
                number == FuzzMark.None ? FuzzMark.Find(properties) : number,
                reason,
                Header(properties, "eventbus-error"));
        });
        return new QueuedDeadLetters(socket);
    }

    public override Task ReadAsync() => Task.CompletedTask;

    public override ValueTask DisposeAsync() => socket.DisposeAsync();

    /// <summary>
    /// Returns the text of a header, found by its name and its type. The table around it is not decoded.
    /// </summary>
    private static string? Header(ReadOnlySpan<byte> properties, string name)
    {
        byte[] key = [(byte)name.Length, .. Encoding.UTF8.GetBytes(name), (byte)'S'];

        // The last occurrence: the headers of the bus follow those of the message.
        var start = properties.LastIndexOf(key);
        return start < 0 ? null : Encoding.UTF8.GetString(
            properties.Slice(start + key.Length + 4, (properties[start + key.Length + 2] << 8) | properties[start + key.Length + 3]));
    }
}
