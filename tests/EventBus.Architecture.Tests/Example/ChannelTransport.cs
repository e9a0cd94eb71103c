using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>A minimal transport that fulfils the contract: an example for authors of transports.</summary>
internal sealed class ChannelTransport(ChannelBroker broker) : Transport
{
    private readonly ConcurrentBag<ChannelQueue> subscribed = [];
    private string service = "";

    public override TransportFeatures Features { get; } = new()
    {
        System = "channel",
        Redelivers = true,
        SharesSubscriptions = true,
        ReportsUnrouted = true,
        CountsWork = true,
    };

    public override (long Accepted, long Settled) Work
    {
        get
        {
            // Read first: a message that is accepted between the two reads then counts as open.
            var settled = subscribed.Sum(queue => queue.Settled);
            return (subscribed.Sum(queue => queue.Accepted), settled);
        }
    }

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        service = topology.ServiceName;
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var queue = broker.Declare(service, subscription);
        subscribed.Add(queue);
        return ValueTask.FromResult<Receiver>(new ChannelReceiver(queue));
    }

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            var outcome = await SendAsync(batch.Span[i], deadline);
            outcomes.Span[i] = outcome;
            if (outcome.Status is PublishStatus.Failed or PublishStatus.InDoubt)
            {
                // Later events of the key must not be sent either. The default outcome is in doubt.
                return;
            }
        }
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<PublishOutcome> SendAsync(Envelope envelope, CancellationToken deadline)
    {
        var reached = 0;
        try
        {
            foreach (var queue in broker.QueuesFor(envelope.Name))
            {
                await queue.AddAsync(ChannelWireFormat.Write(envelope), deadline);
                reached++;
            }

            return reached == 0 ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
        }
        catch (Exception exception)
        {
            return reached == 0 ? PublishOutcome.Failed(exception) : PublishOutcome.InDoubt(exception);
        }
    }
}
