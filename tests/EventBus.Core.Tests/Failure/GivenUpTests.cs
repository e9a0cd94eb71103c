using System.Text;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>What the broker itself gives up is kept before it leaves the broker.</summary>
public sealed class GivenUpTests : IAsyncDisposable
{
    private readonly HandOverTransport transport = new();
    private readonly PickyStore store = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    [Fact]
    public async Task GivenUp_StoreTakesItLate_IsAcknowledgedThenAndListed()
    {
        var (attempts, acknowledgedBefore) = (0, false);
        store.BeforeKeeping = _ =>
        {
            acknowledgedBefore |= transport.Acknowledged.Count > 0;
            if (++attempts < 3)
            {
                throw new IOException("down");
            }
        };
        await using var running = await StartAsync();

        await GiveUpAsync("mail", "1");

        Assert.True(attempts >= 3);
        Assert.False(acknowledgedBefore);
        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(("mail~1", DeadLetterReason.DroppedByBroker, "expired", 0), (dead.Id, dead.Reason, dead.Error, dead.Starts));
        Assert.Equal("{\"orderId\":\"1\"}", Encoding.UTF8.GetString(dead.Body.Span));
    }

    /// <summary>It came again, because its process ended between the two; or its subscription is no longer in the code.</summary>
    [Fact]
    public async Task GivenUp_KeptAlreadyOrOfAnotherVersion_IsOneDeadLetterEach()
    {
        await using var running = await StartAsync();

        await GiveUpAsync("mail", "1");
        await GiveUpAsync("mail", "1");
        await GiveUpAsync("removed", "1");

        Assert.Equal(["mail~1", "removed~1"], (await running.DeadLetters.ListAsync(cancellationToken: Token)).Select(dead => dead.Id).Order(StringComparer.Ordinal));
        Assert.Equal(3, transport.Acknowledged["1"]);
    }

    private Task GiveUpAsync(string subscription, string id) =>
        transport.GiveUpAsync(subscription, DeadLetterReason.DroppedByBroker, "expired", new EnvelopeAttributes { Id = id, Name = "order.placed" }, Encoding.UTF8.GetBytes($$"""{"orderId":"{{id}}"}"""));

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport)
        .UseStores(_ => new BusStores { Name = "picky", Durable = false, Failures = store, Processed = InMemoryBuilderExtensions.Stores(new InMemoryOptions()).Processed })
        .Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));
}
