using EventBus.Stores;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed partial class FailureQueueTests
{
    [Fact]
    public async Task Claim_RetryQueueOfAnotherIsDeleted_KeepsTheClaimedEntries()
    {
        await using var stores = await OpenStoresAsync("one", "two");
        Assert.True(await stores.Failures.RecordAsync(Failed("one", "first"), Cancel));
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}:two:retries", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        }

        var claimed = await ClaimAsync(stores, "one", "two");

        Assert.Equal("first", Assert.Single(claimed.Entries).Envelope.Id);
        Assert.Empty(await stores.Failures.RenewAsync([.. claimed.Entries], default, Cancel));
    }

    /// <summary>
    /// The subscription was paused in the meantime. No other subscription could take the entry, and an entry that may
    /// end the process is claimed alone.
    /// </summary>
    [Fact]
    public async Task Claim_OfAnInterruptedEntryThatIsReleased_IsClaimedAgainWithTheSameAttempts()
    {
        await using var stores = await OpenStoresAsync("one");
        await stores.Failures.TryTakeRedeliveredAsync(Failed("one", "first"), Cancel);
        for (var i = 0; i < 3; i++)
        {
            var claimed = Assert.Single((await ClaimAsync(stores, "one")).Entries);
            Assert.Equal(("first", 1, true), (claimed.Envelope.Id, claimed.Attempts, claimed.WasInterrupted));
            await stores.Failures.ReleaseAsync(claimed, Cancel);
        }
    }

    /// <summary>
    /// The owner has disconnected, the broker redelivers the entry, and it is unknown whether it was attempted: it runs
    /// alone, with one attempt counted.
    /// </summary>
    [Fact]
    public async Task Delivery_RedeliveredEvent_IsCountedAndDeliveredThroughTheRetryQueue()
    {
        // A consumer takes the event and disconnects without settling it.
        await using (await StartAsync((_, _) => Task.CompletedTask))
        {
        }

        await TestBroker.PublishForeignAsync(
            name,
            "test.happened",
            "{\"number\":5}"u8.ToArray(),
            new BasicProperties { MessageId = "five" });
        await TakeAndDisconnectAsync($"{name}:tests");
        await using var app = await StartAsync((e, context) =>
        {
            started.Add(context.Attempt);
            return Task.CompletedTask;
        });

        Assert.Equal(2, await started.NextAsync("the start that follows"));
        Assert.Null(await GetAsync($"{name}:tests"));
    }

    /// <summary>
    /// Each claim whose process crashed counts as an attempt. After the last attempt the event becomes a dead letter
    /// that reports this.
    /// </summary>
    [Fact]
    public async Task Retry_WhoseProcessCrashesEachTime_IsADeadLetterWithoutAFurtherAttempt()
    {
        await using (await StartAsync((_, _) => Task.CompletedTask))
        {
        }

        await TestBroker.PublishForeignAsync(
            name,
            "test.happened",
            "{\"number\":5}"u8.ToArray(),
            new BasicProperties { MessageId = "five" });
        await TakeAndDisconnectAsync($"{name}:tests");
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel))
        {
            // The bus creates the retry from the event, and then three processes crash while they run it.
            var taken = await channel.BasicGetAsync($"{name}:tests", autoAck: true, Cancel);
            await channel.BasicPublishAsync(
                "",
                $"{name}:tests:retries",
                true,
                new BasicProperties
                {
                    MessageId = "five",
                    Headers = new Dictionary<string, object?>
                    {
                        ["eventbus-subscription"] = "tests",
                        ["eventbus-starts"] = 1,
                        ["eventbus-suspect"] = "true",
                        ["cloudEvents_type"] = "test.happened"
                    }
                }, taken!.Body, Cancel);
        }

        for (var i = 0; i < 3; i++)
        {
            await TakeAndDisconnectAsync($"{name}:tests:retries");
        }

        await using var app = await StartAsync((_, context) =>
        {
            started.Add(context.Attempt);
            return Task.CompletedTask;
        });
        var alert = await alerted.NextAsync("the alert");
        Assert.Equal((DeadLetterReason.ProcessEnded, 4), (alert.First.Reason, alert.First.Attempts));
    }

    /// <summary>
    /// A content type is a short string in AMQP: 255 bytes. Bytes that are not UTF-8 become longer when they are read.
    /// </summary>
    [Fact]
    public async Task Record_OfAContentTypeThatAmqpCannotRepresent_StoresTheEntryWithoutIt()
    {
        await using var stores = await OpenStoresAsync("mail");
        var bad = Failed("mail", "bad") with
        {
            Envelope = new Envelope(
            new EnvelopeAttributes { Id = "bad", Name = "test.happened", ContentType = new string('\uFFFD', 200) },
            "{}"u8.ToArray())
        };

        Assert.True(await stores.Failures.RecordAsync(bad with { Status = FailedEventStatus.Waiting }, Cancel));
        Assert.True(await stores.Failures.RecordAsync(bad with { Status = FailedEventStatus.Dead }, Cancel));
        Assert.Equal(2, await stores.Failures.CountAsync(Cancel));
    }

    [Fact]
    public async Task Claim_OfAMessageThatNamesAnotherSubscription_UsesThatOfItsQueue()
    {
        await using var stores = await OpenStoresAsync("mail");
        await stores.Failures.DeadLetters.CountAsync(Cancel);
        await using (var connection = await ConnectAsync())
        {
            await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel);
            await channel.BasicPublishAsync("", $"{name}:mail:retries", true, new BasicProperties
            {
                MessageId = "five",
                Headers = new Dictionary<string, object?> { ["eventbus-subscription"] = "other", ["cloudEvents_type"] = "test.happened" }
            }, "{}"u8.ToArray(), Cancel);
        }

        Assert.Equal("mail", Assert.Single((await ClaimAsync(stores, "mail")).Entries).Subscription);
    }

    [Fact]
    public async Task Record_AlertQueueIsDeleted_IsRefusedOnceAndThenCreatesTheQueueAgain()
    {
        await using var stores = await OpenStoresAsync("mail");
        var dead = Failed("mail", "dead") with { Status = FailedEventStatus.Dead, NeedsAlert = true };
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}.alerts", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        }

        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => stores.Failures.RecordAsync(dead, Cancel).AsTask());

        Assert.Contains($"'{name}.alerts'", refused.Message, StringComparison.Ordinal);
        Assert.True(await stores.Failures.RecordAsync(dead, Cancel));
        Assert.Equal(1, await stores.Failures.CountAsync(Cancel));
    }

    private static FailedEvent Failed(string subscription, string id) => new()
    {
        Subscription = subscription,
        Envelope = new Envelope(new EnvelopeAttributes { Id = id, Name = "test.happened" }, "{}"u8.ToArray()),
        Status = FailedEventStatus.Waiting,
        Attempts = 1,
    };

    private static ValueTask<DueBatch<FailedEvent>> ClaimAsync(OpenStores stores, params string[] subscriptions) =>
        stores.Failures.ClaimDueAsync(subscriptions, TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(30), 10, Cancel);

    private async Task<OpenStores> OpenStoresAsync(params string[] subscriptions)
    {
        var stores = new RabbitMqStores(
            RabbitMqBuilderExtensions.Connect(TestBroker.Uri.AbsoluteUri, new RabbitMqOptions { Exchange = name }, null));
        await stores.OpenAsync(new StoreSetup(name, TimeProvider.System) { Subscriptions = subscriptions }, Cancel);
        return new OpenStores(stores);
    }

    private static async Task TakeAndDisconnectAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await Until.TrueAsync(
            $"an event comes into the queue {queue}",
            async () => await channel.BasicGetAsync(queue, autoAck: false, Cancel) is not null,
            Cancel);
    }

    private sealed class OpenStores(BusStores stores) : IAsyncDisposable
    {
        public RetryStore Failures => stores.Failures!;

        public ValueTask DisposeAsync() => stores.CloseAsync();
    }
}
