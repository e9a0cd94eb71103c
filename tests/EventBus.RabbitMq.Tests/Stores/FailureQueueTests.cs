using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests RabbitMQ without a store: retries in wait queues, dead letters in a queue.</summary>
public sealed partial class FailureQueueTests
{
    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> started = new();
    private readonly Seen<DeadLetterAlert> alerted = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_FailsPermanently_HasFourAttemptsAndThenADeadLetterWithAnAlert()
    {
        await using var app = await StartAsync((e, context) =>
        {
            started.Add(context.Attempt);
            throw new InvalidOperationException($"no {e.Number}");
        });
        await app.Bus.PublishAsync(
            new TestHappened(7),
            new PublishOptions { EventId = "seven", Headers = new Dictionary<string, string> { ["tenant"] = "a" } },
            Cancel);
        for (var attempt = 1; attempt <= 4; attempt++)
        {
            Assert.Equal(attempt, await started.NextAsync($"attempt {attempt}"));
        }

        var alert = await alerted.NextAsync("the alert");
        Assert.Equal("tests~seven", alert.First.Id);
        Assert.Contains("no 7", alert.First.Error!, StringComparison.Ordinal);
        Assert.EndsWith(
            " seven (4 attempts, System.InvalidOperationException, HandlerFailed): deadLetters.ListAsync()",
            alert.Summary,
            StringComparison.Ordinal);
        Assert.Equal(1, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(("tests", "seven", 4, DeadLetterReason.HandlerFailed), (dead.Subscription, dead.EventId, dead.Attempts, dead.Reason));
        Assert.Equal("System.InvalidOperationException", dead.ErrorType);
        Assert.Equal("a", dead.Headers["tenant"]);
        Assert.Equal("{\"number\":7}", Encoding.UTF8.GetString(dead.Body.Span));
        Assert.Contains(
            nameof(Handler_FailsPermanently_HasFourAttemptsAndThenADeadLetterWithAnAlert),
            dead.ErrorDetails!,
            StringComparison.Ordinal);

        // Listing the dead letters removed none, and other tools can read them.
        var raw = await GetAsync($"{name}.dead-letters");
        Assert.Equal("test.happened", Encoding.UTF8.GetString((byte[])raw!.BasicProperties.Headers!["cloudEvents_type"]!));
        Assert.Equal("HandlerFailed", Encoding.UTF8.GetString((byte[])raw.BasicProperties.Headers["eventbus-reason"]!));
    }

    [Fact]
    public async Task DeadLetters_RetriedTogether_RunAgainWithAllRetries()
    {
        var repaired = false;
        await using var app = await StartAsync((e, context) =>
        {
            started.Add(context.IsManualRetry ? 100 + context.Attempt : context.Attempt);
            return repaired ? Task.CompletedTask : throw new InvalidOperationException("not yet");
        });
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);
        await AlertsAsync(2);
        for (var i = 0; i < 8; i++)
        {
            await started.NextAsync("an attempt before the dead letters");
        }

        repaired = true;
        Assert.Equal(2, await app.DeadLetters.RetryAllAsync(cancellationToken: Cancel));

        Assert.Equal(101, await started.NextAsync("the first retry"));
        Assert.Equal(101, await started.NextAsync("the second retry"));
        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
        Assert.Equal(0, await app.DeadLetters.RetryAllAsync(cancellationToken: Cancel));
    }

    [Fact]
    public async Task DeadLetters_OperationThatAQueueLacks_NamesTheStoresThatHaveIt()
    {
        await using var app = await StartAsync((_, _) => Task.CompletedTask);

        foreach (var ask in new Func<Task>[]
        {
            () => app.DeadLetters.RetryAsync("tests~1", Cancel),
            () => app.DeadLetters.FindAsync("tests~1", Cancel),
            () => app.DeadLetters.DiscardAsync("tests~1", "of no use", Cancel),
            () => app.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = "tests" }, Cancel),
            () => app.DeadLetters.CountAsync(new DeadLetterFilter { EventName = "test.happened" }, Cancel),
            () => app.DeadLetters.RetryAllAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, Cancel),
        })
        {
            Assert.Contains("StoreInSqlite", (await Assert.ThrowsAsync<EventBusException>(ask)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Start_SubscriptionsThatNeedAKeyedStore_AreRefusedTogether()
    {
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => TestBus.StartAsync(name, bus => Rabbit(bus)
            .Subscribe("in-order", s => s.On<TestHappened>((_, _, _) => Task.CompletedTask).Ordered())
            .Subscribe("guarded", s => s.On<TestHappened>((_, _, _) => Task.CompletedTask).Sequenced<TestHappened>(e => e.Number))
            .Subscribe("once", s => s.On<TestHappened>((_, _, _) => Task.CompletedTask).Idempotent())
            .Configure(options => options.DeadLetterRetention = TimeSpan.FromDays(1))));

        Assert.Contains("'in-order' is ordered", error.Message, StringComparison.Ordinal);
        Assert.Contains("'guarded' is guarded", error.Message, StringComparison.Ordinal);
        Assert.Contains("'once' is idempotent", error.Message, StringComparison.Ordinal);
        Assert.Contains("DeadLetterRetention is set", error.Message, StringComparison.Ordinal);
        Assert.Contains("bus.StoreInSqlite(...)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Queues_DeletedMeanwhile_AreRecreatedAndRetriesContinue()
    {
        await using var app = await StartAsync((_, context) =>
        {
            started.Add(context.Attempt);
            return context.Attempt == 1 ? throw new InvalidOperationException("once") : Task.CompletedTask;
        });
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}:tests:retries", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
            await channel.QueueDeleteAsync($"{name}.dead-letters", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);

            // No event is published to the queue, so only the check for due entries can detect that it is gone.
            await Until.TrueAsync("the retry queue is created again", () => ExistsAsync(connection, $"{name}:tests:retries"), Cancel);
        }

        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        Assert.Equal(1, await started.NextAsync("the first attempt"));
        Assert.Equal(2, await started.NextAsync("the retry"));

        // Only the retry that is sent to the queue can detect that it is gone.
        await using (var connection = await ConnectAsync())
        {
            await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
            {
                await channel.ExchangeDeleteAsync($"{name}.wait-100ms", ifUnused: false, cancellationToken: Cancel);
            }

            await app.Bus.PublishAsync(new TestHappened(2), Cancel);
            Assert.Equal(1, await started.NextAsync("the first attempt of the second event"));
            Assert.Equal(2, await started.NextAsync("the retry of the second event"));
            await Until.TrueAsync(
                "the wait exchange is created again",
                () => AnswersAsync(connection, channel => channel.ExchangeDeclarePassiveAsync($"{name}.wait-100ms", Cancel)),
                Cancel);
        }

        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));

        static Task<bool> ExistsAsync(IConnection connection, string queue) =>
            AnswersAsync(connection, channel => channel.QueueDeclarePassiveAsync(queue, Cancel));

        static async Task<bool> AnswersAsync(IConnection connection, Func<IChannel, Task> ask)
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            try
            {
                await ask(channel);
                return true;
            }
            catch (RabbitMQ.Client.Exceptions.OperationInterruptedException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Message_ThatCannotBeRead_IsADeadLetterAtOnceWithItsBytes()
    {
        await using var app = await StartAsync((_, _) => Task.CompletedTask);
        await TestBroker.PublishForeignAsync(name, "test.happened", "{ not json"u8.ToArray());

        Assert.Equal(DeadLetterReason.Unreadable, (await alerted.NextAsync("the alert")).First.Reason);
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(("{ not json", 0), (Encoding.UTF8.GetString(dead.Body.Span), dead.Attempts));
    }

    /// <summary>
    /// A message that cannot be published again would be redelivered endlessly, and block all others.
    /// </summary>
    [Theory]
    [InlineData("cloudEvents_id", 128, '漢')]
    [InlineData("note", 130_000, 'x')]
    [InlineData("cloudEvents_type", 130_000, 'x')]
    public async Task Message_ThatCannotBePublishedAgain_IsADeadLetterAndBlocksNoOther(string header, int length, char letter)
    {
        await using var app = await StartAsync((e, _) =>
        {
            started.Add(e.Number);
            return Task.CompletedTask;
        });
        await TestBroker.PublishForeignAsync(
            name,
            "test.happened",
            "{ not json"u8.ToArray(),
            new BasicProperties { Headers = new Dictionary<string, object?> { [header] = new string(letter, length), ["tenant"] = "a" } });
        await app.Bus.PublishAsync(new TestHappened(5), Cancel);

        Assert.Equal(5, await started.NextAsync("the good event"));
        Assert.Equal(1, (await alerted.NextAsync("the alert")).Count);
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal("{ not json", Encoding.UTF8.GetString(dead.Body.Span));
        Assert.Equal("tests", dead.Subscription);
        if (length > 1_000)
        {
            // A header that is refused for its length is not copied.
            Assert.Contains("130,0", dead.Error, StringComparison.Ordinal);
            Assert.DoesNotContain(header, dead.Headers.Keys);
        }
    }

    [Theory]
    [InlineData(4.0, 5)]
    [InlineData(6.0, 5)]
    [InlineData(24, 30)]
    [InlineData(36, 30)]
    [InlineData(144, 120)]
    [InlineData(0.001, 5)]
    [InlineData(1e6, 3600)]
    public void Delay_OfAPolicy_IsRoundedToTheNearestStep(double seconds, int step) =>
        Assert.Equal(
            TimeSpan.FromSeconds(step),
            RetryWaitQueues.NearestStep(TimeSpan.FromSeconds(seconds), new RabbitMqOptions().EffectiveRetrySteps));

    private static async Task<IConnection> ConnectAsync() =>
        await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);

    private static async Task<BasicGetResult?> GetAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        return await channel.BasicGetAsync(queue, autoAck: true, Cancel);
    }

    private async Task AlertsAsync(int count)
    {
        var ids = new HashSet<string>();
        while (ids.Count < count)
        {
            ids.UnionWith((await alerted.NextAsync($"alerts of {count} dead letters")).Ids);
        }
    }

    private Task<TestBus> StartAsync(Func<TestHappened, EventContext, Task> handle) => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddSingleton(alerted);
        Rabbit(bus)
            .Retry(3, TimeSpan.FromMilliseconds(100))
            .Configure(options => (
                options.Retry.MaxDelay,
                options.AlertInterval) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(100)))
            .AddAlert<Alert>()
            .Subscribe<TestHappened>("tests", (e, context, _) => handle(e, context));
    });

    private EventBusBuilder Rabbit(EventBusBuilder bus) => bus.UseRabbitMq(
        TestBroker.Uri.AbsoluteUri,
        options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5)]));

    private sealed class Alert(Seen<DeadLetterAlert> seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add(alert);
            return Task.CompletedTask;
        }
    }
}
