using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>
/// A bounded queue. A message that was taken and not removed yet still counts, so that it can always be returned.
/// </summary>
internal sealed class ChannelQueue(Subscription subscription)
{
    private readonly Channel<bool> room = Channel.CreateBounded<bool>(10_000);
    private readonly Channel<ChannelMessage> messages = Channel.CreateUnbounded<ChannelMessage>();
    private long accepted;
    private long settled;

    public Subscription Subscription { get; } = subscription;

    public long Accepted => Interlocked.Read(ref accepted);

    public long Settled => Interlocked.Read(ref settled);

    public async Task AddAsync(ChannelMessage message, CancellationToken deadline)
    {
        await room.Writer.WriteAsync(true, deadline);
        Interlocked.Increment(ref accepted);
        Return(message);
    }

    public ValueTask<ChannelMessage> TakeAsync(CancellationToken cancellationToken) => messages.Reader.ReadAsync(cancellationToken);

    public void Return(ChannelMessage message) => messages.Writer.TryWrite(message);

    public void Remove()
    {
        room.Reader.TryRead(out _);
        Interlocked.Increment(ref settled);
    }
}
