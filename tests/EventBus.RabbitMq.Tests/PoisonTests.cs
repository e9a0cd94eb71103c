using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests headers that the client cannot read, or that make it close the connection.</summary>
public sealed class PoisonTests : IDisposable
{
    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly Seen<DeadLetterAlert> alerted = new();
    private readonly LogList log = new();
    private bool fails;

    public static TheoryData<RabbitMqQueueType, string> Poisons =>
        [.. Enum.GetValues<RabbitMqQueueType>().SelectMany(_ => Headers.Keys, (type, poison) => (type, poison))];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static Dictionary<string, byte[]> Headers { get; } = new()
    {
        ["25,000 arrays in arrays"] = RawPublisher.Nested("deep", 25_000),
        ["101 arrays in arrays"] = RawPublisher.Nested("deep", 101),
        ["a decimal of 29 places"] = RawPublisher.Entry("deep", 'D', 29, 0, 0, 0, 1),
        ["a decimal of 255 places in a table"] = RawPublisher.Entry(
            "deep",
            'F',
            RawPublisher.Long(RawPublisher.Entry("d", 'D', 255, 0, 0, 0, 1))),
        ["a decimal of 29 places in an array"] = RawPublisher.Entry("deep", 'A', RawPublisher.Long([(byte)'D', 29, 0, 0, 0, 1])),
    };

    [Theory]
    [MemberData(nameof(Poisons))]
    public async Task Header_ThatTheClientCannotRead_IsADeadLetterAndClosesNoConnection(RabbitMqQueueType type, string poison)
    {
        await using var app = await StartAsync(type);

        await PublishAsync([RawPublisher.Text("cloudEvents_id", "poison"), Headers[poison], RawPublisher.Text("tenant", "a")], 1);
        await PublishAsync([RawPublisher.Text("cloudEvents_id", "good"), RawPublisher.Nested("deep", 100)], 2);

        Assert.Equal(2, await handled.NextAsync("the event behind it"));
        Assert.Equal("tests~poison", (await alerted.NextAsync("the alert")).First.Id);
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(
            ("poison", DeadLetterReason.Unreadable, "{\"number\":1}", "a"),
            (dead.EventId, dead.Reason, Encoding.UTF8.GetString(dead.Body.Span), dead.Headers["tenant"]));
        Assert.Contains("The header 'deep' cannot be read", dead.Error!, StringComparison.Ordinal);
        Assert.Single(log.Texts, text => text.Contains("the consuming connection is open", StringComparison.Ordinal));
    }

    /// <summary>
    /// Only the client reads a connection that the application provides: the log and the health check then name the
    /// queue and the cause.
    /// </summary>
    [Fact]
    public async Task Header_ThatClosesASharedConnection_IsNamedWithItsQueueUntilTheBrokerDropsIt()
    {
        await using var connection = await new ConnectionFactory
        {
            Uri = TestBroker.Uri,
            NetworkRecoveryInterval = TimeSpan.FromMilliseconds(100)
        }.CreateConnectionAsync(Cancel);
        await using var app = await StartAsync(RabbitMqQueueType.Quorum, limit: 3, connection);

        await PublishAsync([Headers["a decimal of 29 places"]], 1);

        var health = app.Services.GetRequiredService<HealthCheckService>();
        await Until.TrueAsync(
            "the health names the queue",
            async () => (await health.CheckHealthAsync(Cancel)).Entries.Values.Any(entry => entry.Status == HealthStatus.Unhealthy
                && entry.Description?.Contains($"'{name}:tests'", StringComparison.Ordinal) == true
                && entry.Description.Contains("scale=29", StringComparison.Ordinal)),
            Cancel);

        Assert.Contains(log.Texts, text => text.Contains($"the queue {name}:tests is consumed", StringComparison.Ordinal)
            && text.Contains("scale=29", StringComparison.Ordinal));

        await PublishAsync([], 2);
        Assert.Equal(2, await handled.NextAsync("the next event, after the broker has dead-lettered the first one"));
    }

    /// <summary>
    /// The broker dead-letters an event that ends its consumer at each delivery, together with the events that were
    /// only prefetched. One call retries all of them, with their own names.
    /// </summary>
    [Fact]
    public async Task Queue_WhoseConsumersEndAtEachDelivery_BecomesDeadLettersThatOneCallRetries()
    {
        await using (await StartAsync(limit: 3))
        {
        }

        await PublishAsync([], 1);
        await PublishAsync([
            RawPublisher.Text("eventbus-subscription", "other"),
            RawPublisher.Text("eventbus-reason", "Discarded"),
            RawPublisher.Entry("x-death", 'A', RawPublisher.Long([])),
            RawPublisher.Text("x-first-death-queue", "other")
        ], 2);
        for (var death = 1; death <= 4; death++)
        {
            await TakeAndDisconnectAsync(2);
        }

        await using var app = await StartAsync(limit: 3);
        IReadOnlyList<DeadLetter> dead = [];
        await Until.TrueAsync(
            "the broker has dead-lettered both events",
            async () => (dead = await app.DeadLetters.ListAsync(cancellationToken: Cancel)).Count >= 2,
            Cancel);

        Assert.All(dead, letter => Assert.Equal(
            ("tests", "test.happened", DeadLetterReason.ProcessEnded),
            (letter.Subscription, letter.EventName, letter.Reason)));
        Assert.All(dead, letter => Assert.Contains("delivery_limit", letter.Error!, StringComparison.Ordinal));

        Assert.Equal(2, await app.DeadLetters.RetryAllAsync(cancellationToken: Cancel));

        Assert.Equal([1, 2], new[] { await handled.NextAsync("the first event"), await handled.NextAsync("the second event") }.Order());
        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
    }

    [Fact]
    public async Task Queue_AfterAHundredLostConnections_HasNoDeadLetters()
    {
        await using (await StartAsync())
        {
        }

        await PublishAsync([], 1);
        await PublishAsync([], 2);
        for (var death = 1; death <= 100; death++)
        {
            await TakeAndDisconnectAsync(2);
        }

        await using var app = await StartAsync();

        Assert.Equal([1, 2], new[] { await handled.NextAsync("the first event"), await handled.NextAsync("the second event") }.Order());
        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
    }

    /// <summary>A delivery count that the publisher wrote is not a count of the broker, and is ignored.</summary>
    [Theory]
    [InlineData(RabbitMqQueueType.Quorum)]
    [InlineData(RabbitMqQueueType.Classic)]
    public async Task DeliveryCount_WrittenByThePublisher_UsesNoAttempt(RabbitMqQueueType type)
    {
        fails = true;
        await using var app = await StartAsync(type);

        await PublishAsync([
            RawPublisher.Entry("x-delivery-count", 'l', 0, 0, 0, 0, 0, 0, 0, 3),
            RawPublisher.Entry("x-delivery-count", 'l', 0, 0, 0, 0, 0, 0, 0, 3)
        ], 1);

        Assert.Equal(4, (await alerted.NextAsync("the alert")).First.Attempts);
        for (var start = 1; start <= 4; start++)
        {
            Assert.Equal(1, await handled.NextAsync($"attempt {start}"));
        }
    }

    public void Dispose() => log.Dispose();

    private Task<TestBus> StartAsync(RabbitMqQueueType type = RabbitMqQueueType.Quorum, int limit = 200, IConnection? connection = null) =>
        TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddSingleton(alerted);
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            if (connection is not null)
            {
                bus.Services.AddSingleton(connection);
            }

            (connection is null ? bus.UseRabbitMq(TestBroker.Uri.AbsoluteUri, Configure) : bus.UseRabbitMq(Configure))
                .Retry(3, TimeSpan.FromMilliseconds(100))
                .AddAlert<Alert>()
                .Subscribe<TestHappened>("tests", (e, _, _) =>
                {
                    handled.Add(e.Number);
                    return fails ? throw new InvalidOperationException("As it was asked to.") : Task.CompletedTask;
                });

            void Configure(RabbitMqOptions options) =>
                (
                    options.Exchange,
                    options.QueueType,
                    options.DeliveryLimit,
                    options.RetrySteps) = (name, type, limit, [TimeSpan.FromMilliseconds(100)]);
        });

    private sealed class Alert(Seen<DeadLetterAlert> seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add(alert);
            return Task.CompletedTask;
        }
    }

    /// <summary>Takes waiting messages and disconnects without settling them, like a killed process.</summary>
    private async Task TakeAndDisconnectAsync(int count)
    {
        await using var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        for (var taken = 0; taken < count; taken++)
        {
            await Until.TrueAsync(
                "an event that was taken before is redelivered",
                async () => await channel.BasicGetAsync($"{name}:tests", autoAck: false, Cancel) is not null,
                Cancel);
        }
    }

    private Task PublishAsync(IEnumerable<byte[]> headers, int number) =>
        RawPublisher.PublishAsync(TestBroker.Uri, name, "test.happened", headers, $"{{\"number\":{number}}}");
}
