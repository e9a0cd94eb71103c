using System.Diagnostics;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisStoreFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stores_RedisKilledAndStartedAgain_KeepEverything()
    {
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var stores = await TestStores.OpenAsync("kept", server.Address);
        await stores.RecordAsync(TestStores.Dead("dead"));
        await stores.RecordAsync(TestStores.Waiting("waiting", "k"));
        await stores.Delays.AddAsync(TestStores.Event("delayed"), TestStores.Now, Token);
        var claim = await stores.Processed.ClaimAsync(new ProcessedKey("mail", "done"), 1, TestStores.Now, TestStores.Lease, Token);
        await stores.Processed.CompleteAsync(
            new ProcessedKey("mail", "done"),
            claim.FencingToken,
            new Completion([TestStores.Event("out")], [], TestStores.Now),
            Token);
        var held = Assert.Single(await stores.ClaimAsync());

        await server.KillAsync();

        var startedAt = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<Exception>(() => stores.ClaimAsync());
        await Assert.ThrowsAnyAsync<Exception>(async () => await stores.RecordAsync(TestStores.Dead("late")));
        Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.Zero, TimeSpan.FromSeconds(12));
        await server.StartAsync();

        Assert.True(await LostReply.AnsweredAsync(async () => await stores.RecordAsync(held with { DueAt = TestStores.Now })));
        Assert.True(Assert.Single(await LostReply.AnsweredAsync(() => stores.ClaimAsync())).Claim > held.Claim);
        Assert.Equal("dead", Assert.Single(await LostReply.AnsweredAsync(() => stores.ListAsync())).Envelope.Id);
        var due = await LostReply.AnsweredAsync(
            async () => await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token));
        Assert.Equal("delayed", Assert.Single(due.Entries).Id);
        var done = await LostReply.AnsweredAsync(async () => await stores.Processed.ClaimAsync(
            new ProcessedKey("mail", "done"), 1, TestStores.Now, TestStores.Lease, Token));
        Assert.Equal((ProcessedState.Done, "out"), (done.State, Assert.Single(done.Outbox).Id));
    }

    /// <summary>The event was certainly not sent, so that a publish repeats it.</summary>
    [Fact]
    public async Task Delay_RedisIsUnreachable_IsATemporaryRefusal()
    {
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var stores = await TestStores.OpenAsync("away", server.Address);
        await stores.Delays.AddAsync(TestStores.Event("warm"), TestStores.Now, Token);
        await server.KillAsync();

        // The result is in doubt until the client has detected the lost connection.
        Exception? error = null;
        await Until.TrueAsync(
            () => $"the store refuses: {error}",
            TestRedis.Patience,
            async () => (error = await Record.ExceptionAsync(
                async () => await stores.Delays.AddAsync(TestStores.Event("delayed"), TestStores.Now, Token))) is StoreRefusedException,
            Token);
        Assert.Equal(StoreScope.Store, ((StoreRefusedException)error!).Scope);
        await server.StartAsync();
        Assert.Equal(1, await LostReply.AnsweredAsync(() => stores.Delays.CountAsync(Token).AsTask()));
    }

    /// <summary>A repetition cannot succeed while the key has another type: the publish is rejected.</summary>
    [Fact]
    public async Task Delay_KeyHasAnotherType_IsRefusedPermanently()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await redis.Database.StringSetAsync(TestStores.Key(redis.Prefix, "delayed:event"), "mine");

        var refused = await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await stores.Delays.AddAsync(TestStores.Event("1"), TestStores.Now, Token));

        Assert.Equal(StoreScope.Entry, refused.Scope);
    }

    [Fact]
    public async Task Open_WithoutAServer_FailsAndNamesTheFix()
    {
        var exception =
            await Assert.ThrowsAsync<EventBusException>(() => TestStores.OpenAsync("none", $"{TestRedis.Through(1)},connectTimeout=500"));

        Assert.Contains("bus.StoreInRedis", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_WithoutAReply_EndsAtItsDeadline()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);
        valve.Close();

        var startedAt = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<Exception>(async () => await stores.RecordAsync(TestStores.Waiting("p-1")));

        Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Record_RepeatedAfterItsAnswerWasLost_BelongsToTheCaller()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);
        var entry = TestStores.Waiting("p-1");

        // Redis has cached the scripts: the next call is a single command.
        await stores.RecordAsync(TestStores.Dead("warm"));
        await stores.Failures.DeadLetters.DiscardAsync("mail~warm", Token);
        await stores.Failures.CountAttemptAsync("mail", "warm", new AttemptCount(1, 0), TestStores.Now, Token);

        Assert.True(await LostReply.RepeatAsync(valve, async () => await stores.RecordAsync(entry)));
        Assert.False(await LostReply.AnsweredAsync(async () => await stores.RecordAsync(entry)));

        var dead = Assert.Single(await LostReply.AnsweredAsync(() => stores.ClaimAsync())) with { Status = FailedEventStatus.Dead };
        Assert.True(await LostReply.RepeatAsync(valve, async () => await stores.RecordAsync(dead)));
        Assert.False(await LostReply.AnsweredAsync(async () => await stores.RecordAsync(dead)));
        Assert.Equal(
            1,
            await LostReply.AnsweredAsync(async () => await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token)));
        Assert.Equal(2, await LostReply.RepeatAsync(valve, CountAsync));
        Assert.Equal(3, await LostReply.AnsweredAsync(CountAsync));

        async Task<int?> CountAsync() =>
            (await stores.Failures.CountAttemptAsync("mail", "p-2", new AttemptCount(1, 0), TestStores.Now, Token))?.Attempts;
    }

    [Fact]
    public async Task Claim_WhoseAnswerWasLost_CountsNoAttempt()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);
        Assert.Empty(await stores.ClaimAsync());
        await stores.RecordAsync(TestStores.Waiting("p-1"));
        await stores.RecordAsync(TestStores.Waiting("p-2", subscription: "print"));

        var claimed = await LostReply.RepeatAsync(valve, () => stores.ClaimAsync(null, 10, "mail", "print"));

        Assert.Equal(["p-1", "p-2"], claimed.Select(entry => entry.Envelope.Id).Order());
        Assert.All(claimed, entry => Assert.Equal((2, false), (entry.Attempts, entry.WasInterrupted)));
        Assert.Empty(await LostReply.AnsweredAsync(() => stores.ClaimAsync(null, 10, "mail", "print")));
    }

    [Fact]
    public async Task Close_AfterAClaimInTransitWasCancelled_LeavesNoClaim()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var others = await TestStores.OpenAsync(redis.Prefix);
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);
        await others.RecordAsync(TestStores.Waiting("1"));
        using var stop = new CancellationTokenSource();
        valve.Close();
        var claiming = stores.Failures.ClaimDueAsync(["mail"], TestStores.Now, TestStores.Lease, 10, stop.Token).AsTask();
        await valve.ReplyHeld;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => claiming);
        valve.Open();

        await stores.DisposeAsync();

        Assert.False(Assert.Single(await others.ClaimAsync()).WasInterrupted);
    }

    [Fact]
    public async Task Scripts_FlushedByRedis_AreSentAgain()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Waiting("p-1"));
        await redis.Database.ExecuteAsync("SCRIPT", "FLUSH");

        Assert.True(await stores.RecordAsync(TestStores.Waiting("p-2")));
        Assert.Equal(2, (await stores.ClaimAsync()).Count);
    }

    [Fact]
    public async Task Keys_OfAllStores_ShareASlot()
    {
        // A cluster of one node: it refuses a script whose keys do not share a slot.
        await using var server = new PrivateRedis("--cluster-enabled", "yes");
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await admin.GetServers()[0].ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        await using var stores = await OpenWhenReadyAsync();
        await stores.RecordAsync(TestStores.Dead("{p}-1", "{k}", "print"));
        await stores.RecordAsync(TestStores.Waiting("p-2", "k"));
        await stores.Failures.TryParkAsync(TestStores.Waiting("p-3", "k") with { Status = FailedEventStatus.Parked }, 1, Token);
        await stores.Failures.DeferAsync(
            TestStores.Waiting("p-4") with { Status = FailedEventStatus.Deferred, OrderKey = "o", Position = 1 },
            0,
            1,
            Token);
        await stores.Failures.AdvanceAsync("mail", "o", 1, TestStores.Now, Token);
        await stores.Failures.CountAttemptAsync("mail", "p-5", new AttemptCount(1, 0), TestStores.Now, Token);
        await stores.ClaimAsync(null, 1);
        await stores.Delays.AddAsync(TestStores.Event("p-6"), TestStores.Now, Token);
        var claim = await stores.Processed.ClaimAsync(new ProcessedKey("mail", "p-7"), 0, TestStores.Now, TestStores.Lease, Token);
        await stores.Processed.CompleteAsync(
            new ProcessedKey("mail", "p-7"),
            claim.FencingToken,
            new Completion([TestStores.Event("out")], [], TestStores.Now),
            Token);

        await stores.Sagas.CreateAsync(TestStores.Saga("{p}-8", "{s}"), Token);

        var keys = await admin.GetServers()[0].KeysAsync().Select(key => (string)key!).ToListAsync(Token);
        var slots = await Task.WhenAll(keys.Select(async key => (int)await admin.GetServers()[0].ExecuteAsync("CLUSTER", "KEYSLOT", key)));

        Assert.InRange(keys.Count, 20, 40);
        Assert.Single(slots.Distinct());

        async Task<TestStores> OpenWhenReadyAsync() => await LostReply.AnsweredAsync(async () =>
        {
            await admin.GetDatabase().StringSetAsync("{probe}", "");
            await admin.GetDatabase().KeyDeleteAsync("{probe}");
            return await TestStores.OpenAsync("slots", server.Address);
        });
    }

    [Fact]
    public async Task Claims_OfTwoInstances_NeverOverlap()
    {
        const int Count = 500;
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await TestStores.OpenAsync(redis.Prefix);
        await using var second = await TestStores.OpenAsync(redis.Prefix);
        await Task.WhenAll(Enumerable.Range(0, Count)
            .Select(number => first.RecordAsync(TestStores.Waiting($"p-{number}", number % 3 == 0 ? $"k-{number % 7}" : null)).AsTask()));

        var taken = await Task.WhenAll(DrainAsync(first), DrainAsync(second), DrainAsync(first), DrainAsync(second));

        Assert.Equal(Enumerable.Range(0, Count).Select(number => $"p-{number}").Order(), taken.SelectMany(each => each).Order());
        Assert.Equal(0, await first.Failures.CountAsync(Token));

        static async Task<List<string>> DrainAsync(TestStores stores)
        {
            var mine = new List<string>();
            while (await stores.Failures.CountAsync(Token) > 0)
            {
                foreach (var entry in await stores.ClaimAsync(max: 5))
                {
                    mine.Add(entry.Envelope.Id);
                    await stores.Failures.CompleteAsync(entry, Token);
                }
            }

            return mine;
        }
    }
}
