using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisOrderTests
{
    [Fact]
    public async Task Deliveries_ReleasedInTheMiddle_RestartInTheOrderOfTheLog()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(subscriptions: [Line()]);
        var receiver = await redis.SubscribeAsync(transport, Line());
        await PublishAsync(transport, 0, 20);
        Delivery[] taken = [await TestRedis.NextAsync(receiver), await TestRedis.NextAsync(receiver), await TestRedis.NextAsync(receiver)];

        await taken[0].AckAsync();
        await taken[1].ReleaseAsync();
        await taken[2].AckAsync();

        Assert.True(taken[2].Lost.IsCancellationRequested);
        Assert.Equal(Enumerable.Range(1, 19), await HandleAsync(receiver, 19));
        await receiver.DisposeAsync();
        Assert.Equal(0, await redis.PendingAsync());
    }

    [Fact]
    public async Task Deliveries_OverTheConnectionOfTheApplication_ArriveInOrderAndLeaveItOpen()
    {
        const int Count = 200;
        await using var redis = await TestRedis.OpenAsync();
        await using var lent = await ConnectionMultiplexer.ConnectAsync(TestRedis.Address);
        var connector = new RedisConnector(
            ConfigurationOptions.Parse($"{TestRedis.Address},name={redis.Prefix}"),
            "bus.UseRedis()",
            redis.Log)
        { ApplicationConnection = lent };
        await using (var transport = new RedisTransport(connector, new RedisOptions { KeyPrefix = redis.Prefix }, redis.Log))
        {
            await transport.StartAsync(
                new TransportTopology("app", [Line()], ["parcel.sent"], TimeProvider.System),
                TestContext.Current.CancellationToken);
            var first = await redis.SubscribeAsync(transport, Line());
            await PublishAsync(transport, 0, Count);
            Assert.Equal(Enumerable.Range(0, Count / 2), await HandleAsync(first, Count / 2));

            // Delivered and unsettled entries go to the next instance in the same order, over its separate connection
            // for pending entries.
            await TestRedis.NextAsync(first);
            await first.DisposeAsync();
            var second = await redis.SubscribeAsync(transport, Line());
            Assert.Equal(Enumerable.Range(Count / 2, Count / 2), await HandleAsync(second, Count / 2));
            await second.DisposeAsync();
            Assert.Equal(0, await redis.PendingAsync());
        }

        await redis.UntilConnectedAsync(count => count == 0);
        Assert.True(lent.IsConnected);
    }

    [Fact]
    public async Task SecondInstance_WhileTheFirstIsActive_IsStandbyAndTakesOverAtOnceAfterACleanStop()
    {
        // Ten times the timeout of the test: only a release of the lease can be faster.
        var claimAfter = TestRedis.Patience * 10;
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter, subscriptions: [Line()]);
        var first = await redis.SubscribeAsync(transport, Line());
        await PublishAsync(transport, 0, 1);
        Assert.Equal([0], await HandleAsync(first, 1));
        var second = await redis.SubscribeAsync(await redis.StartAsync(claimAfter, subscriptions: [Line()]), Line());
        await PublishAsync(transport, 1, 9);
        Assert.Equal([1, 2], await HandleAsync(first, 2));
        var unsettled = await TestRedis.NextAsync(first);
        await first.StopIntakeAsync();
        Assert.False(second.Deliveries.TryPeek(out _));
        Assert.False(unsettled.Lost.IsCancellationRequested);

        await unsettled.AckAsync();
        await first.DisposeAsync();

        Assert.Equal([4, 5, 6, 7, 8, 9], await HandleAsync(second, 6));
    }

    [Fact]
    public async Task ActiveInstance_CutOffFromRedis_StopsBeforeTheNextStartsAndItsAcknowledgementsDoNothing()
    {
        var claimAfter = TimeSpan.FromSeconds(1);
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var active = await redis.SubscribeAsync(await redis.StartAsync(claimAfter, valve.Address, [Line()]), Line());
        var publisher = await redis.StartAsync(claimAfter, subscriptions: [Line()]);
        await PublishAsync(publisher, 0, 10);
        Delivery[] taken = [await TestRedis.NextAsync(active), await TestRedis.NextAsync(active), await TestRedis.NextAsync(active)];
        var successor = await redis.SubscribeAsync(publisher, Line());

        valve.Refuse();
        valve.Cut();
        var first = await TestRedis.NextAsync(successor);

        Assert.All(taken, delivery => Assert.True(delivery.Lost.IsCancellationRequested));
        foreach (var delivery in taken)
        {
            await delivery.AckAsync();
        }

        Assert.Equal((0, 1), (NumberOf(first), first.EarlierDeliveries));
        await first.AckAsync();
        Assert.Equal(Enumerable.Range(1, 9), await HandleAsync(successor, 9));
        Assert.False(active.Deliveries.TryPeek(out _));
    }

    [Fact]
    public async Task ActiveInstance_WhoseConnectionIsClosed_ContinuesInOrderAndKeepsItsDeliveries()
    {
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(subscriptions: [Line()]), Line());
        await PublishAsync(await redis.StartAsync(subscriptions: [Line()]), 0, 5);
        var before = await TestRedis.NextAsync(receiver);

        await redis.KillConnectionsAsync();
        await PublishAsync(await redis.StartAsync(subscriptions: [Line()]), 5, 5);

        Assert.Equal(Enumerable.Range(1, 9), await HandleAsync(receiver, 9));
        Assert.False(before.Lost.IsCancellationRequested);
        await before.AckAsync();
        await receiver.DisposeAsync();
        Assert.Equal(0, await redis.PendingAsync());
    }

    [Fact]
    public async Task ActiveInstance_WhoseConnectionIsClosedRepeatedly_NeverRedelivers()
    {
        const int Cuts = 60, Apart = 200;
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(subscriptions: [Line()]), Line());
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TestRedis.Patience * 3);
        using var quiet = new CancellationTokenSource();
        var end = int.MaxValue;
        var publishing = PublishAllAlongAsync();

        // The connection is closed while entries are delivered and acknowledged.
        var (number, last) = (-1, default(Delivery));
        var (cuts, cutting) = (0, Task.CompletedTask);
        while (number < Volatile.Read(ref end))
        {
            var delivery = await receiver.Deliveries.ReadAsync(limit.Token);
            if (!delivery.Lost.IsCancellationRequested)
            {
                Assert.True(
                    NumberOf(delivery) == number + 1 || last.Lost.IsCancellationRequested,
                    $"{NumberOf(delivery)} came after {number}, which is not lost.");
                (number, last) = (NumberOf(delivery), delivery);
            }

            await delivery.AckAsync();
            if (cuts < Cuts && cutting.IsCompleted && number >= (cuts + 1) * Apart)
            {
                (cuts, cutting) = (cuts + 1, redis.KillConnectionsAsync());
                await (cuts == Cuts ? quiet.CancelAsync() : Task.CompletedTask);
            }
        }

        await Task.WhenAll(cutting, publishing);

        async Task PublishAllAlongAsync()
        {
            var next = 0;
            while (!quiet.IsCancellationRequested)
            {
                await Task.WhenAll(Enumerable.Range(next, 10).Select(AddAsync));
                next += 10;
            }

            Volatile.Write(ref end, next);
            await AddAsync(next);
        }

        Task AddAsync(int i) => redis.Database.StreamAddAsync(
            redis.ParcelStream,
            [new("type", "parcel.sent"), new("id", $"p-{i}"), new("partitionkey", "key"), new("data", "1")]);
    }

    [Fact]
    public async Task Epoch_AfterEntriesWereDeletedWhilePending_ContinuesWithoutThem()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(subscriptions: [Line()]);
        var first = await redis.SubscribeAsync(transport, Line());
        await PublishAsync(transport, 0, 5);
        await TestRedis.NextAsync(first);
        await redis.Database.StreamTrimAsync(redis.ParcelStream, 3);
        await first.DisposeAsync();

        var second = await redis.SubscribeAsync(transport, Line());

        Assert.Equal([2, 3, 4], await HandleAsync(second, 3));
        await second.DisposeAsync();
        Assert.Equal(0, await redis.PendingAsync());
    }

    [Fact]
    public async Task Epoch_WhoseGroupIsDestroyed_RestartsAfterTheAcknowledgedEntries()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(TimeSpan.FromSeconds(1), subscriptions: [Line()]);
        var receiver = await redis.SubscribeAsync(transport, Line());
        await PublishAsync(transport, 0, 6);
        Assert.Equal([0, 1, 2], await HandleAsync(receiver, 3));
        var inHandler = await TestRedis.NextAsync(receiver);
        await redis.WaitForPositionAsync(position => position.StartsWith('('));

        await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
        await PublishAsync(transport, 6, 2);
        await LostAsync(inHandler);

        var again = new List<int>();
        while (again.Count == 0 || again[^1] < 7)
        {
            again.AddRange(await HandleAsync(receiver, 1));
        }

        Assert.InRange(again[0], 0, 3);
        Assert.Equal(Enumerable.Range(again[0], 8 - again[0]), again);
    }

    [Fact]
    public async Task Epoch_WhoseServerIsFlushed_ContinuesWithLaterEvents()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        var transport = await redis.StartAsync(TimeSpan.FromSeconds(1), server.Address, [Line()]);
        var receiver = await redis.SubscribeAsync(transport, Line());
        await PublishAsync(transport, 0, 3);
        Assert.Equal([0, 1], await HandleAsync(receiver, 2));
        var inHandler = await TestRedis.NextAsync(receiver);

        await server.FlushAsync();
        await PublishAsync(transport, 3, 3);
        await LostAsync(inHandler);

        Assert.Equal([3, 4, 5], await HandleAsync(receiver, 3));
    }

    private static Subscription Line(int concurrency = 16) => TestRedis.Parcels(concurrency) with { Ordered = true };

    private static Task PublishAsync(Transport transport, int from, int count) =>
        TestRedis.PublishAcceptedAsync(
            transport,
            [.. Enumerable.Range(from, count).Select(number => TestRedis.Parcel(number, $"key-{number % 3}"))]);

    private static async Task LostAsync(Delivery delivery)
    {
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = delivery.Lost.Register(lost.SetResult);
        await lost.Task.WaitAsync(TestRedis.Patience);
    }

    private static int NumberOf(Delivery delivery) => int.Parse(delivery.Envelope.Id.AsSpan(2));

    /// <summary>
    /// Takes and acknowledges the next deliveries. Skips deliveries that were lost before they were taken, as the bus
    /// does.
    /// </summary>
    private static async Task<List<int>> HandleAsync(Receiver receiver, int count)
    {
        var numbers = new List<int>();
        while (numbers.Count < count)
        {
            var delivery = await TestRedis.NextAsync(receiver, $"a delivery after {string.Join(", ", numbers)}");
            if (delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
                continue;
            }

            numbers.Add(NumberOf(delivery));
            await delivery.AckAsync();
        }

        return numbers;
    }
}
