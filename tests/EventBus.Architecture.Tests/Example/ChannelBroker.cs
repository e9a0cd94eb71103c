using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>A message as a broker keeps it: headers and bytes, and no .NET type.</summary>
internal sealed record ChannelMessage(IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>The broker of the example: a queue for each subscription, in this process.</summary>
internal sealed class ChannelBroker
{
    private readonly ConcurrentDictionary<string, ChannelQueue> queues = new(StringComparer.Ordinal);

    /// <summary>Gets the queue of a subscription. Instances of one service share it.</summary>
    public ChannelQueue Declare(string service, Subscription subscription) =>
        queues.GetOrAdd($"{service}:{subscription.Name}", _ => new ChannelQueue(subscription));

    public IEnumerable<ChannelQueue> QueuesFor(string eventName) => queues.Values.Where(queue => queue.Subscription.Matches(eventName));
}

/// <summary>
/// One queue. What was taken and is not removed yet keeps its room, so that there is always room to return it.
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
