using EventBus.Transports;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>
/// Tests the steps of a subscription without a transport. Alone, because the listeners of another test would get spans
/// and metrics of these events, which allocate.
/// </summary>
[Collection(nameof(Alone))]
public sealed class DeliveryPipelineTests : IDisposable
{
    private readonly CancellationTokenSource abort = new();
    private readonly BusDiagnostics diagnostics = new(null, TimeProvider.System);
    private readonly EventDescriptor descriptor = new(typeof(OrderPlaced), "order.placed", 1);

    public void Dispose()
    {
        diagnostics.Dispose();
        abort.Dispose();
    }

    [Fact]
    public void InvokeAsync_HandlerCompletesSynchronously_AllocatesNothing()
    {
        var pipeline = Compose((_, _) => Task.CompletedTask);
        var contexts = Enumerable.Range(0, 100).Select(_ => NewContext()).ToArray();
        Assert.True(IsHandledSynchronously(pipeline, NewContext()));

        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var context in contexts)
        {
            IsHandledSynchronously(pipeline, context);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public async Task InvokeAsync_HandlerSucceeds_IsHandledAndEndsTheContext()
    {
        var context = NewContext();

        Assert.Equal(
            DeliveryOutcome.Handled,
            await Compose(async (_, _) => await Task.Yield()).InvokeAsync(context, Now, CancellationToken.None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => context.PublishAsync(new OrderPlaced("2"), Token));
    }

    [Fact]
    public async Task InvokeAsync_HandlerThrows_IsFailedWithItsException()
    {
        var error = new FormatException();

        var outcome = await Compose((_, _) => throw error).InvokeAsync(NewContext(), Now, CancellationToken.None);

        Assert.Equal((DeliveryStatus.Failed, error), (outcome.Status, (outcome.Failure as Threw)?.Exception));
    }

    [Fact]
    public async Task InvokeAsync_UnreadableEvent_IsRejectedWithoutTheHandler()
    {
        var context = new DeliveryContext(
            new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed", Defect = "broken" }, []),
            NewSubscription());

        var outcome = await Compose((_, _) => throw new FormatException()).InvokeAsync(context, Now, CancellationToken.None);

        Assert.Equal(
            (DeliveryStatus.Rejected, DeadLetterReason.Unreadable),
            (outcome.Status, (outcome.Failure as Rejected)?.Rejection.Reason));
    }

    [Fact]
    public async Task InvokeAsync_BusAborts_IsInterrupted()
    {
        var running = Compose((_, token) => Task.Delay(Timeout.Infinite, token)).InvokeAsync(NewContext(), Now, CancellationToken.None);
        await abort.CancelAsync();

        Assert.Equal(DeliveryOutcome.Interrupted, await running);
    }

    [Fact]
    public async Task InvokeAsync_DeliveryIsLost_CancelsTheHandler()
    {
        using var lost = new CancellationTokenSource();
        var running = Compose((_, token) => Task.Delay(Timeout.Infinite, token)).InvokeAsync(NewContext(), Now, lost.Token);
        await lost.CancelAsync();

        Assert.Equal(DeliveryStatus.Failed, (await running).Status);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static bool IsHandledSynchronously(DeliveryStep pipeline, DeliveryContext context)
    {
        var running = pipeline.InvokeAsync(context, Now, CancellationToken.None);
        return running.IsCompletedSuccessfully && running.Result.Status == DeliveryStatus.Handled;
    }

    private static long Now => TimeProvider.System.GetTimestamp();

    private static SubscriptionRuntime NewSubscription() => new()
    {
        Subscription = new Subscription("orders", [EventPattern.Parse("order.placed")]),
        EventTypes = new HashSet<Type> { typeof(OrderPlaced) },
        HandlerTimeout = TimeSpan.FromMinutes(1),
        Slots = new ConcurrencyLimiter(1),
        FollowUps = null!,
        EffectPrefix = "",
        Attempts = null!,
        Scopes = null!,
        FailurePolicy = null!,
    };

    private DeliveryContext NewContext() => new(new Envelope(descriptor, new OrderPlaced("1"), Guid.NewGuid(), 0), NewSubscription());

    private DeliveryStep Compose(EventDelegate handler)
    {
        var reader = new EventReader(new EventRegistry([descriptor], [], new EventJson([], 64)), 1_000);
        var services = new BusServices
        {
            Time = TimeProvider.System,
            StoreTime = TimeProvider.System,
            Log = NullLogger.Instance,
            Diagnostics = diagnostics,
            Runner = new BackgroundRunner(new CallerContext(), NullLogger.Instance),
            Random = new RandomSource(),
            Idle = new IdleSignal(),
            Abort = abort.Token,
        };
        return DeliveryPipeline.Compose(NewSubscription(), reader, handler, services);
    }
}
