using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>
/// Transports events through Kafka: one topic for each first word of the event names, one consumer group for each
/// subscription.
/// </summary>
internal sealed class KafkaTransport(KafkaConnector connector) : Transport
{
    // What a record needs in addition to the body: key, attributes, headers of the user.
    private const int RecordOverhead = 16 * 1_024;

    private readonly Lock gate = new();
    private volatile KafkaReceiver[] receivers = [];
    private KafkaTopology? names;
    private JoinWait? joinWait;
    private KafkaTopics? topics;
    private KafkaPublisher? publisher;

    public override TransportFeatures Features { get; } = new()
    {
        System = "kafka",
        Durable = true,
        DropsEvents = true,
        KnowsBacklog = true,
        Ordered = true,
        Redelivers = true,
        RemembersPositions = true,
        Replays = true,
        SharesSubscriptions = true,
        MaxBodyBytes = connector.Options.MaxRecordBytes - RecordOverhead,
    };

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        names = new KafkaTopology(connector.Options, topology);
        joinWait = new JoinWait(connector.Time);
        topics = new KafkaTopics(connector, names);
        publisher = new KafkaPublisher(connector, names, topics);
        publisher.Start();
        await topics.StartAsync(cancellationToken);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) =>
        Started(publisher).PublishAsync(batch, outcomes, deadline);

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var receiver = await KafkaReceiver.OpenAsync(subscription, connector, Started(names), Started(joinWait), cancellationToken);
        lock (gate)
        {
            receivers = [.. receivers.Where(each => !each.IsStopping), receiver];
        }

        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            await new KafkaGroups(connector.Admin, Started(names)).RetireAsync(subscription, discardWaiting, cancellationToken);
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            throw new EventBusException(
                $"Kafka at {connector.Address} did not remove the consumer group of the subscription '{subscription}': "
                    + $"{KafkaErrors.CauseOf(exception)} Try again.",
                exception);
        }
    }

    public override async ValueTask<long> ReplayAsync(string subscription, ReplayStart start, CancellationToken cancellationToken)
    {
        var receiver = receivers.FirstOrDefault(each => !each.IsStopping && each.Subscription.Name == subscription)
            ?? throw new EventBusException($"This instance does not consume the subscription '{subscription}', so it cannot replay it.");
        try
        {
            // The broker decides when the positions are moved. Asked before, it also spares this instance the stop.
            var groups = new KafkaGroups(connector.Admin, Started(names));
            return await groups.CountMembersAsync(subscription, cancellationToken) > 1
                ? throw KafkaGroups.HasOtherMembers(Started(names).GroupOf(subscription), subscription)
                : await receiver.ReplayAsync(start, cancellationToken);
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            throw new EventBusException(
                $"Kafka at {connector.Address} did not move the positions of the subscription '{subscription}': "
                    + $"{KafkaErrors.CauseOf(exception)} Try again.",
                exception);
        }
    }

    public override async ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription, CancellationToken cancellationToken)
    {
        if (!receivers.Any(receiver => !receiver.IsStopping && receiver.Subscription.Name == subscription))
        {
            return null;
        }

        var members = await new KafkaGroups(connector.Admin, Started(names)).CountMembersAsync(subscription, cancellationToken);
        return members is > 0 ? (members.Value - 1, connector.Options.SessionTimeout) : null;
    }

    public override async ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken) =>
        await new KafkaBacklog(connector.Admin, Started(names))
            .ReadAsync([.. receivers.Where(each => !each.IsStopping)], cancellationToken);

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(receivers.Select(receiver => receiver.Lost.Take()).FirstOrDefault(lost => lost is not null));

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        new KafkaHealth(connector, topics, publisher, receivers).CheckAsync(cancellationToken);

    public override async ValueTask DisposeAsync()
    {
        KafkaReceiver[] open;
        lock (gate)
        {
            open = receivers;
            receivers = [];
        }

        await Task.WhenAll(open.Select(receiver => receiver.DisposeAsync().AsTask())
            .Append(publisher?.DisposeAsync().AsTask() ?? Task.CompletedTask)
            .Append(topics?.DisposeAsync().AsTask() ?? Task.CompletedTask));
        await connector.DisposeAsync();
    }

    private static T Started<T>(T? part)
        where T : class => part ?? throw new InvalidOperationException("The transport was not started.");
}
