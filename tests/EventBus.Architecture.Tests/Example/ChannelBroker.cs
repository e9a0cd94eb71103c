using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>The broker of the example: a queue for each subscription, in this process.</summary>
internal sealed class ChannelBroker
{
    private readonly ConcurrentDictionary<string, ChannelQueue> queues = new(StringComparer.Ordinal);

    /// <summary>Gets the queue of a subscription. Instances of one service share it.</summary>
    public ChannelQueue Declare(string service, Subscription subscription) =>
        queues.GetOrAdd($"{service}:{subscription.Name}", _ => new ChannelQueue(subscription));

    public IEnumerable<ChannelQueue> QueuesFor(string eventName) => queues.Values.Where(queue => queue.Subscription.Matches(eventName));
}
