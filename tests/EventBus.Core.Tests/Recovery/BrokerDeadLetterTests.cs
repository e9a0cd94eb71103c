using System.Collections.Concurrent;
using System.Text;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Shows that an event that the broker dead-letters is stored before it is acknowledged.</summary>
public sealed class BrokerDeadLetterTests : IAsyncDisposable
{
    private readonly InjectingTransport transport = new();
    private readonly FaultyStore store = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    [Fact]
    public async Task BrokerDeadLetter_StoreAcceptsItLate_IsAcknowledgedThenAndListed()
    {
        var (attempts, acknowledgedBefore) = (0, false);
        store.BeforeRecording = _ =>
        {
            acknowledgedBefore |= transport.Acknowledged.Count > 0;
            if (++attempts < 3)
            {
                throw new IOException("down");
            }
        };
        await using var running = await StartAsync();

        await DropAsync("mail", "1");

        Assert.True(attempts >= 3);
        Assert.False(acknowledgedBefore);
        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(("mail~1", DeadLetterReason.DroppedByBroker, "expired", 0), (dead.Id, dead.Reason, dead.Error, dead.Attempts));
        Assert.Equal("{\"orderId\":\"1\"}", Encoding.UTF8.GetString(dead.Body.Span));
    }

    /// <summary>
    /// The event is redelivered because its process ended in between, or its subscription is no longer in the code.
    /// </summary>
    [Fact]
    public async Task BrokerDeadLetter_StoredAlreadyOrOfAnotherVersion_IsOneDeadLetterEach()
    {
        await using var running = await StartAsync();

        await DropAsync("mail", "1");
        await DropAsync("mail", "1");
        await DropAsync("removed", "1");

        Assert.Equal(
            ["mail~1", "removed~1"],
            (await running.DeadLetters.ListAsync(cancellationToken: Token)).Select(dead => dead.Id).Order(StringComparer.Ordinal));
        Assert.Equal(3, transport.Acknowledged["1"]);
    }

    /// <summary>
    /// The store has no capacity for one subscription: the health check names it, the events of the others are stored,
    /// and its own events follow in order once there is capacity.
    /// </summary>
    [Fact]
    public async Task BrokerDeadLetter_NoCapacityForOneSubscription_OthersAreStoredAndHealthNamesIt()
    {
        var (isFull, refused) = (true, new ConcurrentBag<string>());
        store.BeforeRecording = entry =>
        {
            if (entry.Subscription == "mail" && Volatile.Read(ref isFull))
            {
                refused.Add(entry.Id);
                throw new StoreRefusedException(StoreScope.Subscription, "no room for mail");
            }
        };
        await using var running = await StartAsync();
        for (var i = 1; i <= 200; i++)
        {
            transport.AddBrokerDeadLetter(
                "mail",
                DeadLetterReason.DroppedByBroker,
                "expired",
                new EnvelopeAttributes { Id = $"m{i}", Name = "order.placed" },
                "{}"u8.ToArray());
        }

        await DropAsync("ship", "1");

        Assert.Equal("ship~1", Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Id);
        var report = (await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries.Single().Value;
        Assert.Equal(HealthStatus.Degraded, report.Status);
        Assert.Contains(
            "Events of mail that the broker dead-lettered cannot be stored: no room for mail",
            report.Description,
            StringComparison.Ordinal);
        Assert.All(refused, id => Assert.Equal("mail~m1", id));

        var kept = transport.WhenAcknowledgedAsync(200);
        Volatile.Write(ref isFull, false);
        await kept;
        var letters = await running.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = "mail", Take = 200 }, Token);
        Assert.Equal(
            Enumerable.Range(1, 200).Select(i => $"mail~m{i}"),
            letters.OrderBy(letter => letter.Number).Select(letter => letter.Id));
    }

    private Task DropAsync(string subscription, string id) =>
        transport.DropAsync(
            subscription,
            DeadLetterReason.DroppedByBroker,
            "expired",
            new EnvelopeAttributes { Id = id, Name = "order.placed" },
            Encoding.UTF8.GetBytes($$"""{"orderId":"{{id}}"}"""));

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport)
        .UseStores(_ => new TestBusStores(
            "faulty",
            durable: false,
            failures: store,
            processed: InMemoryBuilderExtensions.Stores(new InMemoryOptions()).Processed))
        .Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask), services: services => services.AddHealthChecks());
}
