using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed class PublishTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_NoQueueIsBound_IsUnrouted()
    {
        var name = TestBroker.NewName();
        await using var transport = await TestBroker.StartTransportAsync(
            name,
            null,
            new Subscription("orders", [EventPattern.Parse("order.placed")]));
        await transport.SubscribeAsync(new Subscription("orders", [EventPattern.Parse("order.placed")]), Cancel);
        Envelope[] batch = [.. Enumerable.Range(0, 300).Select(i => Event(i % 3 == 0 ? "order.forgotten" : "order.placed", $"{i}"))];
        var outcomes = new PublishOutcome[batch.Length];

        await transport.PublishAsync(batch, outcomes, Cancel);

        Assert.Equal(
            batch.Select(e => e.Name == "order.placed" ? PublishStatus.Accepted : PublishStatus.Unrouted),
            outcomes.Select(outcome => outcome.Status));
    }

    [Fact]
    public async Task Publish_UnroutedType_IsAnErrorOnlyWhereASubscriberIsRequired()
    {
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), null, bus => bus.Event<TestHappened>().RequireSubscriber());

        var failure = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));

        Assert.Equal(PublishFailure.NoSubscriber, failure.Failure);
    }

    [Fact]
    public async Task Publish_ConnectionCutBeforeTheConfirm_IsInDoubtAndTheNextOneIsAccepted()
    {
        await using var proxy = new TcpProxy();
        var seen = new Seen<int>();
        await using var app = await TestBus.StartAsync(
            TestBroker.NewName(),
            proxy.Uri,
            bus => bus.Subscribe<TestHappened>("orders", (e, _, _) =>
            {
                seen.Add(e.Number);
                return Task.CompletedTask;
            }));
        proxy.Mute = true;

        var publishing = app.Bus.PublishAsync(new TestHappened(1), Cancel);
        await Until.TrueAsync("the event is sent", () => proxy.HasSent("""{"number":1}"""), Cancel);
        proxy.Sever();
        proxy.Mute = false;

        var failure = await Assert.ThrowsAsync<PublishException>(() => publishing.WaitAsync(TestBroker.Patience, Cancel));
        Assert.Equal(PublishFailure.InDoubt, failure.Failure);
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);
        while (await seen.NextAsync("the event that was published after the reconnection is handled") != 2)
        {
            // The event in doubt may have arrived.
        }
    }

    [Fact]
    public async Task Publish_NoConfirmBeforeTheDeadline_IsInDoubt()
    {
        await using var proxy = new TcpProxy();
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), proxy.Uri, bus => bus.Publishes<TestHappened>());
        proxy.Mute = true;

        var failure = await Assert.ThrowsAsync<PublishException>(() =>
            app.Bus.PublishAsync(new TestHappened(1), new PublishOptions { Timeout = TimeSpan.FromMilliseconds(300) }, Cancel)
                .WaitAsync(TestBroker.Patience, Cancel));

        Assert.Equal(PublishFailure.InDoubt, failure.Failure);
    }

    [Fact]
    public async Task Publish_BrokerUnreachableUntilTheDeadline_IsFailed()
    {
        await using var proxy = new TcpProxy();
        await using var transport = await TestBroker.StartTransportAsync(TestBroker.NewName(), proxy.Uri);
        proxy.Refuse = true;
        proxy.Sever();
        await Until.TrueAsync(
            "the transport detects that its broker is unreachable",
            async () => (await transport.CheckHealthAsync(Cancel)).Status == HealthStatus.Unhealthy,
            Cancel);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        var outcomes = new PublishOutcome[1];
        await transport.PublishAsync(new[] { Event("order.placed", "1") }, outcomes, deadline.Token);

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
    }

    [Fact]
    public async Task Publish_EarlierEventOfTheKeyFailed_HoldsBackTheLaterOneOfTheKeyOnly()
    {
        await using var transport = await TestBroker.StartTransportAsync(TestBroker.NewName(), null);
        var outcomes = new PublishOutcome[3];

        await transport.PublishAsync(
            new[] { Event("order.placed", "1", "a", "CC"), Event("order.placed", "2", "a"), Event("order.placed", "3", "b") },
            outcomes,
            Cancel);

        Assert.Equal([PublishStatus.Rejected, PublishStatus.Failed, PublishStatus.Unrouted], outcomes.Select(outcome => outcome.Status));
    }

    /// <summary>
    /// One of two bound queues is full: the outcome is in doubt, because the other queue may have the event.
    /// </summary>
    [Fact]
    public async Task Publish_OneOfTwoQueuesRefuses_IsInDoubt()
    {
        var name = TestBroker.NewName();
        var orders = new Subscription("orders", [EventPattern.Parse("order.placed")]);
        await using var transport = await TestBroker.StartTransportAsync(name, null, orders);
        await using var receiver = await transport.SubscribeAsync(orders, Cancel);
        await using (var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel))
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            var full = new Dictionary<string, object?> { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" };
            await channel.QueueDeclareAsync(
                $"{name}.full",
                durable: true,
                exclusive: false,
                autoDelete: false,
                full,
                cancellationToken: Cancel);
            await channel.QueueBindAsync($"{name}.full", name, "order.placed", cancellationToken: Cancel);
        }

        var outcomes = new PublishOutcome[1];
        await transport.PublishAsync(new[] { Event("order.placed", "1") }, outcomes, Cancel);

        Assert.Equal(PublishStatus.InDoubt, outcomes[0].Status);
        Assert.Equal("1", (await receiver.Deliveries.ReadAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel)).Envelope.Id);
    }

    [Fact]
    public async Task Publish_NotRepresentableInAmqp_IsRejectedAndAffectsNoOther()
    {
        await using var transport = await TestBroker.StartTransportAsync(TestBroker.NewName(), null);
        Envelope[] batch =
        [
            Event("order.placed", "1"),
            Event("order.placed", new string('漢', 128)),
            Event("order.placed", "2"),
            new(new EnvelopeAttributes
            {
                Id = "type",
                Name = "order.placed",
                ContentType = $"application/json; note={new string('漢', 128)}"
            }, "{}"u8.ToArray()),
            Event("order.placed", "3"),
        ];
        var outcomes = new PublishOutcome[batch.Length];

        await transport.PublishAsync(batch, outcomes, Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel);

        Assert.Equal(
            [PublishStatus.Unrouted, PublishStatus.Rejected, PublishStatus.Unrouted, PublishStatus.Rejected, PublishStatus.Unrouted],
            outcomes.Select(outcome => outcome.Status));
        Assert.Contains("384 bytes", outcomes[1].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_BrokerDoesNotAnswer_EndsWithinItsBound()
    {
        var subscription = new Subscription("orders", [EventPattern.Parse("order.placed")]);
        await using var proxy = new TcpProxy();
        var transport = await TestBroker.StartTransportAsync(TestBroker.NewName(), proxy.Uri, subscription);
        await transport.SubscribeAsync(subscription, Cancel);
        proxy.Mute = true;
        var outcomes = new PublishOutcome[1];
        var publishing = transport.PublishAsync(new[] { Event("order.placed", "1") }, outcomes, Cancel).AsTask();

        await transport.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(8), TimeProvider.System, Cancel);
        await publishing.WaitAsync(TestBroker.Patience, Cancel);

        Assert.Equal(PublishStatus.InDoubt, outcomes[0].Status);
    }

    private static Envelope Event(string name, string id, string? key = null, string? header = null) => new(
        new EnvelopeAttributes
        {
            Id = id,
            Name = name,
            Key = key,
            Headers = header is null ? null : new Dictionary<string, string> { [header] = "value" }
        }, "{}"u8.ToArray());
}
