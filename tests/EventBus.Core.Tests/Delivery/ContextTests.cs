using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

public sealed class ContextTests
{
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_AfterTheHandlerEnded_IsAnError()
    {
        EventContext? kept = null;
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("keeps", (_, context, _) =>
        {
            kept = context;
            return Task.CompletedTask;
        }));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => kept!.PublishAsync(new ReceiptSent("1"), Token));

        Assert.Contains("The handler has ended", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Services_OfADelegateAndItsMiddleware_AreOneScopeOfTheDelivery()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Use((context, next, token) =>
                {
                    seen.Add($"middleware {context.Services.GetRequiredService<Unit>().Number}");
                    return next(context, token);
                })
                .Subscribe<OrderPlaced>("delegate", (_, context, _) =>
                {
                    seen.Add($"handler {context.Services.GetRequiredService<Unit>().Number}");
                    return Task.CompletedTask;
                }),
            services: services => services.AddSingleton(seen).AddSingleton<Numbers>().AddScoped<Unit>());

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["middleware 1", "handler 1", "disposed 1", "middleware 2", "handler 2", "disposed 2"], seen.Items);
    }

    [Fact]
    public async Task Headers_ChangedAfterThePublish_ArriveUnchanged()
    {
        var go = new TaskCompletionSource();
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("reads", async (_, context, _) =>
            {
                await go.Task;
                seen.Add(context.Headers["tenant"]);
            }));
        var headers = new Dictionary<string, string> { ["tenant"] = "a" };

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Headers = headers }, Token);
        headers["tenant"] = "b";
        go.SetResult();
        await running.WhenIdleAsync();

        Assert.Equal(["a"], seen.Items);
    }

    [Fact]
    public async Task Stop_TokenCallbackThrowsAndHandlerHangs_Ends()
    {
        var started = new TaskCompletionSource();
        var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Configure(o => o.DrainTimeout = TimeSpan.FromMilliseconds(20))
            .Subscribe<OrderPlaced>("hangs", (_, _, token) =>
            {
                token.Register(() => throw new InvalidOperationException("a callback of the handler's"));
                started.TrySetResult();
                return new TaskCompletionSource().Task;
            }));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await started.Task.WaitAsync(RunningBus.Patience, Token);

        await running.DisposeAsync().AsTask().WaitAsync(RunningBus.Patience, Token);
    }

    [Fact]
    public async Task Publish_Refused_FailsThroughTheTask()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory());

        var publishing = running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Key = "" }, Token);

        Assert.Equal(PublishFailure.Rejected, (await Assert.ThrowsAsync<PublishException>(() => publishing)).Failure);
    }

    [Fact]
    public async Task Publish_DelayedWithARequiredSubscriberMissing_FailsAtOnce()
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory();
            bus.Event<OrderPlaced>().RequireSubscriber();
        });

        var exception = await Assert.ThrowsAsync<PublishException>(
            () => running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { NotBefore = DateTimeOffset.MaxValue }, Token));

        Assert.Equal(PublishFailure.NoSubscriber, exception.Failure);
    }

    [Fact]
    public async Task Publish_QueueIsFullInFailMode_FailsAtOnceAndNamesTheSubscription()
    {
        var hold = new TaskCompletionSource();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory(o => (
            o.Capacity,
            o.QueueFullMode) = (1, QueueFullMode.Fail)).Subscribe("slow", s => s.Concurrency(1).On<OrderPlaced>((_, _, _) => hold.Task)));
        PublishException? refusal = null;
        for (var i = 0; i < 10 && refusal is null; i++)
        {
            refusal = await Record.ExceptionAsync(() => running.Bus.PublishAsync(new OrderPlaced("1"), Token)) as PublishException;
        }

        hold.SetResult();
        Assert.Equal(PublishFailure.Failed, refusal?.Failure);
        Assert.Contains("slow (full)", refusal!.Message, StringComparison.Ordinal);
    }

    private sealed class Numbers
    {
        private int last;

        public int Next() => Interlocked.Increment(ref last);
    }

    private sealed class Unit(Numbers numbers, Seen seen) : IDisposable
    {
        public int Number { get; } = numbers.Next();

        public void Dispose() => seen.Add($"disposed {Number}");
    }
}
