using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>The smallest transport that keeps its promises: an example for authors of others.</summary>
internal sealed class ChannelTransport(ChannelBroker broker) : Transport
{
    private string service = "";

    public override TransportFeatures Features { get; } = new() { System = "channel", Redelivers = true, SharesSubscriptions = true, ReportsUnrouted = true };

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        service = topology.ServiceName;
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(new ChannelReceiver(broker.Declare(service, subscription)));

    #region publish
    public override async ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            var sent = 0;
            try
            {
                foreach (var queue in broker.QueuesFor(batch.Span[i].EventName))
                {
                    await queue.AddAsync(ChannelWireFormat.Write(batch.Span[i]), deadline);
                    sent++;
                }

                outcomes.Span[i] = sent == 0 ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
            }
            catch (Exception exception)
            {
                outcomes.Span[i] = sent == 0 ? PublishOutcome.Failed(exception) : PublishOutcome.InDoubt(exception);
                return; // later events of the key must not be sent either; an outcome left unwritten says in doubt
            }
        }
    }
    #endregion

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
