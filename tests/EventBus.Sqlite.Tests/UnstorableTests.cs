using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

/// <summary>
/// Tests the in-memory backend with SQLite: an event that the file refuses, or a row that cannot be read, affects no
/// other event.
/// </summary>
public sealed class UnstorableTests : IDisposable
{
    private readonly TestFolder folder = new();
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["bus.db"];

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    public async Task Publish_NotRepresentableInJson_IsRefusedAndOthersAreRetried(double amount)
    {
        using var host = await StartAsync(
            mail => mail.On<AmountMeasured>((e, context, _) => Note($"{e.Amount} {context.Attempt}", fails: context.Attempt == 1)));
        var bus = host.Services.GetRequiredService<IEventBus>();

        var refused = await Assert.ThrowsAsync<PublishException>(() => bus.PublishAsync(new AmountMeasured(amount), Token));
        Assert.Equal(PublishFailure.Rejected, refused.Failure);
        Assert.Contains(nameof(AmountMeasured), refused.Message, StringComparison.Ordinal);

        await bus.PublishAsync(new AmountMeasured(1), Token);
        await Until.TrueAsync("the other event was retried", () => seen.Contains("1 2"), Token);
    }

    [Fact]
    public async Task Mark_ThatIsDamaged_IsADeadLetterAndOthersAreHandled()
    {
        using (var first = await StartAsync(Handle))
        {
            await PublishAsync(first, "bad");
            await Until.TrueAsync("the event was handled", () => seen.Contains("bad"), Token);
            await first.StopAsync(Token);
        }

        using (var connection = Connect(File))
        {
            await RunAsync(connection, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'STRICT, ', '') WHERE "
                + "name = 'eventbus_processed'; PRAGMA writable_schema = RESET");
            await RunAsync(connection, "UPDATE eventbus_processed SET fence = 'nonsense'");
        }

        using var second = await StartAsync(Handle);
        await PublishAsync(second, "bad");
        var letters = second.Services.GetRequiredService<IDeadLetters>();
        await Until.TrueAsync("the event is a dead letter", async () => await letters.CountAsync(null, Token) == 1, Token);
        Assert.Equal(
            (DeadLetterReason.Unstorable, "bad"),
            ((await letters.ListAsync(null, Token))[0].Reason, (await letters.ListAsync(null, Token))[0].EventId));
        await PublishAsync(second, "good");
        await Until.TrueAsync("another event is handled", () => seen.Contains("good"), Token);

        void Handle(SubscriptionBuilder mail) =>
            mail.On<AmountMeasured>((_, context, _) => Note(context.EventId, fails: false)).Idempotent();
    }

    [Fact]
    public async Task DelayedEvent_Corrupted_IsADeadLetterAndOthersArePublished()
    {
        using var host = await StartAsync(mail => mail.On<AmountMeasured>((_, context, _) => Note(context.EventId, fails: false)));
        var bus = host.Services.GetRequiredService<IEventBus>();
        await bus.PublishAsync(
            new AmountMeasured(1),
            new PublishOptions { EventId = "bad", NotBefore = DateTimeOffset.UtcNow.AddHours(1) },
            Token);
        await bus.PublishAsync(
            new AmountMeasured(1),
            new PublishOptions { EventId = "good", NotBefore = DateTimeOffset.UtcNow.AddHours(1) },
            Token);
        using (var connection = Connect(File))
        {
            await RunAsync(
                connection,
                "UPDATE eventbus_delays SET attributes = x'7b', turn = 0 WHERE event_id = 'bad'; UPDATE eventbus_delays SET turn = 0");
        }

        var letters = host.Services.GetRequiredService<IDeadLetters>();
        await Until.TrueAsync("the event is a dead letter", async () => await letters.CountAsync(null, Token) == 1, Token);
        var letter = (await letters.ListAsync(null, Token))[0];
        Assert.Equal((DeadLetterReason.Unstorable, "bad", "eventbus/delayed"), (letter.Reason, letter.EventId, letter.Subscription));
        Assert.Equal("""{"amount":1}""", System.Text.Encoding.UTF8.GetString(letter.Body.Span));
        await Until.TrueAsync("the other event is handled", () => seen.Contains("good"), Token);
        Assert.DoesNotContain("bad", seen);
    }

    /// <summary>The names may contain dots, hyphens and underscores.</summary>
    [Fact]
    public async Task Services_WhoseJoinedNamesAreEqual_ShareNothing()
    {
        (string Service, string Subscription)[] pairs = [
            ("x", "orders.mail"),
            ("x.orders", "mail"),
            ("x-orders", "mail"),
            ("x_orders", "mail"),
            ("x", "orders-mail"),
            ("x", "orders_mail"),
            ("x.orders", "mail.mail"),
            ("x.orders.mail", "mail")
        ];
        foreach (var (service, subscription) in pairs)
        {
            await using var stores = await OpenAsync(File, service);
            var entry = Dead("1") with { Subscription = subscription };
            Assert.True(await stores.Failures.RecordAsync(entry, Token), $"{service} {subscription}");
            Assert.Equal(
                2,
                (await stores.Failures.CountAttemptAsync(subscription, "2", new EventBus.Stores.AttemptCount(1, 0), Now, Token))?.Attempts);
            await stores.Failures.AdvanceAsync(subscription, "k", 1, Now, Token);
            Assert.Equal(
                EventBus.Stores.ProcessedState.New,
                (await stores.Processed.ClaimAsync(new EventBus.Stores.ProcessedKey(subscription, "1"), 0, Now, Lease, Token)).State);
            await stores.Delays.AddAsync(Event("1"), Now, Token);
        }

        foreach (var (service, subscription) in pairs)
        {
            await using var stores = await OpenAsync(File, service);
            var own = pairs.Where(pair => pair.Service == service).ToList();
            Assert.Equal(own.Count, await stores.Failures.CountAsync(Token));
            Assert.Equal(own.Count, await stores.Processed.CountAsync(Token));
            Assert.Equal(1, await stores.Delays.CountAsync(Token));
            Assert.Equal(1, (await stores.Failures.GetOrderAsync(subscription, "k", Token)).Stamp);
            Assert.Equal(subscription, Assert.Single(
                await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = subscription }, Token)).Subscription);
        }
    }

    private static Task PublishAsync(IHost host, string id) =>
        host.Services.GetRequiredService<IEventBus>().PublishAsync(new AmountMeasured(1), new PublishOptions { EventId = id }, Token);

    private Task Note(string what, bool fails)
    {
        seen.Enqueue(what);
        return fails ? Task.FromException(new IOException("down")) : Task.CompletedTask;
    }

    private async Task<IHost> StartAsync(Action<SubscriptionBuilder> mail)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus.UseInMemory()
            .StoreInSqlite($"Data Source={File}")
            .Retry(TimeSpan.FromMilliseconds(10))
            .Configure(options => options.ServiceName = "shop")
            .Subscribe("mail", mail));
        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }

    private sealed record AmountMeasured(double Amount);
}
