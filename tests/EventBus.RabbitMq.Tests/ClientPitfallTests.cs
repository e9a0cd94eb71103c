using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests the protection against unexpected behaviour of the client library.</summary>
public sealed class ClientPitfallTests
{
    private static readonly Subscription Orders = new("orders", [EventPattern.Parse("order.#")]) { Concurrency = 200 };

    private readonly string name = TestBroker.NewName();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>P6: a caller that cancels ends only its own wait; each answer is assigned to its own event.</summary>
    [Fact]
    public async Task Publish_CallersCancelAtRandom_NoAnswerIsMistakenForAnother()
    {
        const int Count = 2_000;
        await using var app = await TestBus.StartAsync(name, null, bus =>
        {
            bus.Subscribe<TestHappened>("tests", (_, _, _) => Task.CompletedTask);
            bus.Event<TestHappened>().RequireSubscriber();
            bus.Event<Unheard>().RequireSubscriber();
        });
        var random = new Random(11);
        var sources = Enumerable.Range(0, Count).Select(_ => new CancellationTokenSource()).ToArray();
        var publishing = Enumerable.Range(0, Count).Select(i => OutcomeAsync(i, sources[i].Token)).ToArray();
        foreach (var source in sources.Where(_ => random.Next(3) == 0))
        {
            await source.CancelAsync();
        }

        var outcomes = await Task.WhenAll(publishing);
        var answered = outcomes.Index().Where(outcome => outcome.Item is not null).ToList();
        Assert.Equal(2, answered.Select(outcome => outcome.Item).Distinct().Count());
        Assert.All(answered, outcome => Assert.Equal(IsHeard(outcome.Index), outcome.Item));

        static bool IsHeard(int number) => number % 3 != 0;

        async Task<bool?> OutcomeAsync(int number, CancellationToken token)
        {
            try
            {
                await (IsHeard(number)
                    ? app.Bus.PublishAsync(new TestHappened(number), token)
                    : app.Bus.PublishAsync(new Unheard(), token));
                return true;
            }
            catch (PublishException exception) when (exception.Failure == PublishFailure.NoSubscriber)
            {
                return false;
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    /// <summary>P8: the client writes into the headers that it gets.</summary>
    [Fact]
    public async Task Publish_OneEnvelopeFromManyTasks_LeavesItUnchanged()
    {
        await using var transport = await TestBroker.StartTransportAsync(name, null, Orders);
        await using var receiver = await transport.SubscribeAsync(Orders, Cancel);
        var headers = new Dictionary<string, string> { ["tenant"] = "a" };
        var envelope = new Envelope(
            new EnvelopeAttributes { Id = "1", Name = "order.placed", Time = DateTimeOffset.UnixEpoch, Headers = headers },
            "{}"u8.ToArray());
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            var outcomes = new PublishOutcome[1];
            await transport.PublishAsync(new[] { envelope }, outcomes, Cancel);
            Assert.Equal(PublishStatus.Accepted, outcomes[0].Status);
        }));

        Assert.Equal(["tenant"], envelope.Headers.Keys);
        for (var i = 0; i < 8; i++)
        {
            var delivery = await receiver.Deliveries.ReadAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel);
            Assert.Equal(new Dictionary<string, string> { ["tenant"] = "a" }, delivery.Envelope.Headers);
            await delivery.AckAsync();
        }
    }

    /// <summary>C10: the client lends a body only for the duration of a call.</summary>
    [Fact]
    public async Task Body_KeptWhileOthersArrive_StaysUnchanged()
    {
        const int Count = 200;
        await using var transport = await TestBroker.StartTransportAsync(name, null, Orders);
        await using var receiver = await transport.SubscribeAsync(Orders, Cancel);
        var outcomes = new PublishOutcome[Count];
        await transport.PublishAsync(Enumerable.Range(0, Count).Select(i => new Envelope(
            new EnvelopeAttributes { Id = $"{i}", Name = "order.placed", Time = DateTimeOffset.UnixEpoch },
            BodyOf(i))).ToArray(), outcomes, Cancel);
        var held = new List<Delivery>();
        while (held.Count < Count)
        {
            held.Add(await receiver.Deliveries.ReadAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel));
        }

        Assert.All(held, delivery => Assert.Equal(BodyOf(int.Parse(delivery.Envelope.Id)), delivery.Envelope.Body.ToArray()));
    }

    /// <summary>B5: the broker cancels a consumer whose queue is deleted, and sends no other notice.</summary>
    [Fact]
    public async Task Queue_DeletedWhileItIsConsumed_IsRecreated()
    {
        var handled = new Seen<int>();
        await using var app = await TestBus.StartAsync(name, null, bus => bus.Subscribe<TestHappened>("tests", (e, _, _) =>
        {
            handled.Add(e.Number);
            return Task.CompletedTask;
        }).Event<TestHappened>().RequireSubscriber());
        await using (var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel))
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}:tests", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        }

        using var patience = new CancellationTokenSource(TestBroker.Patience, TimeProvider.System);
        while (true)
        {
            try
            {
                await app.Bus.PublishAsync(new TestHappened(1), Cancel);
                break;
            }
            catch (PublishException) when (!patience.IsCancellationRequested)
            {
                // No queue is bound until it exists again.
            }
        }

        Assert.Equal(1, await handled.NextAsync("the event after the queue was created again"));
    }

    /// <summary>
    /// RabbitMQ before version 4.0 moves the consumer of a deleted quorum queue to the new queue, and drops what that
    /// queue delivers.
    /// </summary>
    [Theory]
    [InlineData(RabbitMqQueueType.Quorum)]
    [InlineData(RabbitMqQueueType.Classic)]
    public async Task Queue_DeletedAndCreatedAgainAtOnce_IsConsumedAgain(RabbitMqQueueType type)
    {
        var handled = new Seen<int>();
        await using var app = await TestBus.StartAsync(name, bus => bus.UseRabbitMq(
            TestBroker.Uri.AbsoluteUri,
            options => (options.Exchange, options.QueueType) = (name, type)).StoreInMemory().Subscribe<TestHappened>("tests", (e, _, _) =>
        {
            handled.Add(e.Number);
            return Task.CompletedTask;
        }));
        var queue = new RabbitMqTopology(name, new RabbitMqOptions { Exchange = name, QueueType = type })
            .EntitiesOf(new Subscription("tests", [EventPattern.Parse("test.happened")])).Single(entity => entity.Name == $"{name}:tests");
        await using var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);

        await channel.QueueDeleteAsync(queue.Name, ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        await queue.DeclareAsync(channel);
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        Assert.Equal(1, await handled.NextAsync("the event in the new queue"));
    }

    private static byte[] BodyOf(int number) =>
        System.Text.Encoding.UTF8.GetBytes($"{{\"number\":{number},\"text\":\"{new string((char)('a' + (number % 26)), number)}\"}}");
}
