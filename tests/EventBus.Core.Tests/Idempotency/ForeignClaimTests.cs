using EventBus.Stores;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Tests an idempotent subscription whose store has claims of other processes: of one that was killed, and whose claims
/// end with their leases, or of one that runs.
/// </summary>
public sealed class ForeignClaimTests : IAsyncDisposable
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider time = new();
    private readonly InMemoryFailureStore failures = new(1_000);
    private readonly SharedProcessedStore processed = new();
    private readonly SettledTransport transport = new();
    private readonly Journal seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    /// <summary>The events that a killed process had begun delay neither those that it had not, nor new ones.</summary>
    [Fact]
    public async Task RedeliveredEvents_ClaimedByAKilledProcess_DelayNoOtherEvent()
    {
        await ClaimAsync("a", "b", "c");
        await using var running = await StartAsync();
        foreach (var begun in new[] { "a", "b", "c", "buffered" })
        {
            transport.Deliver(begun, earlier: 1);
        }

        transport.Deliver("new", earlier: 0);

        // The time stands still: no claim ends.
        await seen.HasAsync("new 1");
        await seen.HasAsync("buffered 2");

        await AdvanceUntilAsync("a 2");
        await AdvanceUntilAsync("b 2");
        await AdvanceUntilAsync("c 2");
        await AssertSettledAsync("a", "b", "c", "buffered", "new");
    }

    /// <summary>The waits cost no attempt, although there are more of them than attempts.</summary>
    [Fact]
    public async Task RedeliveredEvent_ThatFailsAfterTheWait_HasTheAttemptsOfTheHandlerOnly()
    {
        await ClaimAsync("a");
        await using var running = await StartAsync(bus => bus.Retry(0), _ => throw new IOException("an ordinary failure"));
        transport.Deliver("a", earlier: 1);

        await AdvanceUntilAsync("a 2");
        await Until.TrueAsync("the failure is recorded", async () => await failures.DeadLetters.CountAsync(Token) == 1, Token);

        Assert.True(processed.Refused.Items.Count > 4, $"There were {processed.Refused.Items.Count} waits.");
        var dead = Assert.Single(await failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        Assert.Equal((DeadLetterReason.HandlerFailed, 2), (dead.Reason, dead.Attempts));
        Assert.Equal(["a 2"], seen.Items);
    }

    /// <summary>
    /// In an ordered subscription such an event waits in memory with those behind it: none of them is parked, so that
    /// no number of them makes dead letters.
    /// </summary>
    [Fact]
    public async Task OrderedKey_ClaimedByAKilledProcess_WaitsInOrderAndParksNothing()
    {
        await ClaimAsync("a1");
        await using var running = await StartAsync(subscription: s => s.Ordered());
        transport.Deliver("a1", earlier: 1, key: "a");
        transport.Deliver("a2", earlier: 1, key: "a");
        transport.Deliver("a3", earlier: 0, key: "a");

        await processed.Refused.HasAsync("a1");
        Assert.Equal(0, await failures.CountAsync(Token));
        Assert.Empty(transport.Acknowledged.Items);

        await AdvanceUntilAsync("a3 1");
        Assert.Equal(["a1", "a2", "a3"], seen.Items.Select(item => item.Split(' ')[0]));
        await AssertSettledAsync("a1", "a2", "a3");
    }

    /// <summary>A copy waits for the attempt of a running process without a slot, and is then skipped.</summary>
    [Fact]
    public async Task Copy_ClaimedByARunningProcess_WaitsWithoutASlotAndIsSkipped()
    {
        var claim = Assert.Single(await ClaimAsync("copy"));
        await using var running = await StartAsync();
        transport.Deliver("copy", earlier: 0);
        await processed.Refused.HasAsync("copy");
        transport.Deliver("new", earlier: 0);
        await seen.HasAsync("new 1");
        Assert.Equal(["new"], transport.Acknowledged.Items);

        Assert.True(await processed.CompleteAsync(
            new ProcessedKey("points", "copy"), claim.FencingToken, new Completion([], [], DateTimeOffset.MaxValue), Token));
        await time.AdvanceUntilAsync(
            TimeSpan.FromMilliseconds(100), "the copy is settled", () => transport.Acknowledged.Items.Count == 2, Token);
        Assert.Equal(["new 1"], seen.Items);
    }

    /// <summary>The number of copies that wait without a slot is limited; one more keeps its slot.</summary>
    [Fact]
    public async Task Copies_MoreThanMayWaitWithoutASlot_KeepTheSlot()
    {
        string[] copies = ["1", "2", "3", "4"];
        var claims = await ClaimAsync(copies);
        await using var running = await StartAsync();
        foreach (var copy in copies)
        {
            transport.Deliver(copy, earlier: 0);
            await processed.Refused.HasAsync(copy);
        }

        transport.Deliver("new", earlier: 0);
        await processed.ReleaseAsync(new ProcessedKey("points", "4"), claims[3].FencingToken, Token);
        await AdvanceUntilAsync("new 1");

        Assert.Equal(["4 1", "new 1"], seen.Items);
    }

    /// <summary>An event that waits in memory when the bus stops is released.</summary>
    [Fact]
    public async Task Stop_WhileACopyWaits_ReleasesIt()
    {
        await ClaimAsync("copy");
        await using (await StartAsync())
        {
            transport.Deliver("copy", earlier: 0);
            await processed.Refused.HasAsync("copy");
        }

        // A stop that gets no time for its drain ends without waiting for deliveries that hold no slot.
        await transport.Released.HasAsync("copy");
        Assert.Equal(["copy"], transport.Released.Items);
        Assert.Empty(transport.Acknowledged.Items);
        Assert.Empty(seen.Items);
    }

    private async Task AssertSettledAsync(params string[] ids)
    {
        await Until.TrueAsync("no event waits in the store", async () => await failures.CountAsync(Token) == 0, Token);
        Assert.Equal(ids.Order(), transport.Acknowledged.Items.Order());
        Assert.Equal(ids.Length, seen.Items.Count);
        Assert.Empty(transport.Released.Items);
    }

    private Task AdvanceUntilAsync(string item) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"{item} is seen. So far: {string.Join(", ", seen.Items)}",
        () => Task.FromResult(seen.Items.Contains(item)),
        Token);

    /// <summary>Claims events, as another process does.</summary>
    private async Task<List<ProcessedClaim>> ClaimAsync(params string[] ids)
    {
        var claims = new List<ProcessedClaim>();
        foreach (var id in ids)
        {
            claims.Add(await processed.ClaimAsync(new ProcessedKey("points", id), 0, time.GetUtcNow(), Lease, Token));
        }

        return claims;
    }

    private Task<RunningBus> StartAsync(
        Action<EventBusBuilder>? bus = null, Func<string, Task>? handle = null, Action<SubscriptionBuilder>? subscription = null) =>
        RunningBus.StartAsync(
            builder =>
            {
                builder.UseTransport("Settled()", _ => transport)
                    .UseStores(_ => new TestBusStores("shared", failures: failures, processed: processed))
                    .Configure(options => (options.Lease, options.DrainTimeout, options.HandlerTimeout) =
                        (Lease, TimeSpan.Zero, TimeSpan.FromHours(1)));
                bus?.Invoke(builder);
                builder.Subscribe("points", s =>
                {
                    s.Concurrency(1).Idempotent().On<OrderPlaced>((e, context, _) =>
                    {
                        seen.Add($"{e.OrderId} {context.Attempt}");
                        return handle?.Invoke(e.OrderId) ?? Task.CompletedTask;
                    });
                    subscription?.Invoke(s);
                });
            },
            time);
}
