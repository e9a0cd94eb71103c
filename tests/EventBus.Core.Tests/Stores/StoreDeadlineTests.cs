using EventBus.Sagas;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Stores;

/// <summary>
/// Shows that a public call ends at its deadline or when its token is cancelled, even if the store does not answer.
/// </summary>
public sealed class StoreDeadlineTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(300);

    private readonly TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Script script = new();
    private SilentSagaStore? sagas;
    private RunningBus? running;
    private volatile bool isSilent;

    public static TheoryData<string> Calls =>
    [
        "publish",
        "publish many",
        "saga start",
        "saga run",
        "saga wait",
        "saga find",
        "saga list",
        "saga count",
        "saga retry",
        "saga skip",
        "saga finish",
        "letter list", "letter find", "letter count", "letter retry", "letter retry all", "letter discard",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        answered.TrySetResult();
        await (running?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Call_StoreDoesNotAnswer_EndsAtItsDeadline(string call)
    {
        await StartAsync(Deadline);
        isSilent = true;

        var exception = await Assert.ThrowsAnyAsync<EventBusException>(() => CallAsync(call, Token).WaitAsync(RunningBus.Patience, Token));

        if (exception is PublishException publish)
        {
            // The event was passed to the store, and the result there is unknown.
            Assert.Equal(PublishFailure.InDoubt, publish.Failure);
        }
        else if (exception is PublishManyException many)
        {
            Assert.Equal([PublishFailure.InDoubt, PublishFailure.Failed, PublishFailure.Failed], many.Items.Select(item => item?.Failure));
        }
        else
        {
            Assert.Contains("the store gave no answer", exception.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Call_CancelledWhileTheStoreDoesNotAnswer_EndsAtOnce(string call)
    {
        await StartAsync(TimeSpan.FromHours(1));
        isSilent = true;
        using var caller = new CancellationTokenSource();

        var calling = CallAsync(call, caller.Token);
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => calling.WaitAsync(RunningBus.Patience, Token));
    }

    [Fact]
    public async Task Start_StoreDeniesAndFindsNothing_EndsAtTheDeadlineWithFewCalls()
    {
        await StartAsync(Deadline);
        sagas!.Denies = true;

        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => Sagas.StartAsync(new Trip("ada"), "trip-1", Token).WaitAsync(RunningBus.Patience, Token));

        Assert.Contains("was not started", exception.Message, StringComparison.Ordinal);
        Assert.InRange(sagas.Creates, 2, 10);
    }

    [Fact]
    public async Task Start_FirstAnswerIsLostAndThenTheStoreIsFull_IsInDoubt()
    {
        await StartAsync(
            Deadline,
            () => sagas!.Creates <= 1 ? throw new IOException("the answer was lost") : throw new InvalidOperationException("it is full"));
        isSilent = true;

        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => Sagas.StartAsync(new Trip("ada"), "trip-1", Token).WaitAsync(RunningBus.Patience, Token));

        Assert.Contains("in doubt", exception.Message, StringComparison.Ordinal);
        Assert.InRange(sagas!.Creates, 2, 10);
    }

    private SagaManager SagaManager => running!.Services.GetRequiredService<SagaManager>();

    private ISagas Sagas => running!.Services.GetRequiredService<ISagas>();

    private async Task StartAsync(TimeSpan deadline, Func<Task>? silence = null)
    {
        Task Answering() => !isSilent ? Task.CompletedTask : silence?.Invoke() ?? answered.Task;
        sagas = new SilentSagaStore(new InMemorySagaStore(100), Answering);
        running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores(
                    "silent",
                    failures: new SilentFailureStore(new InMemoryFailureStore(100), Answering),
                    delays: new SilentDelayStore(new InMemoryDelayStore(100), Answering),
                    sagas: sagas))
                .Configure(options => options.PublishTimeout = deadline)
                .AddSaga<BookTrip, Trip>()
                .Subscribe<OrderPlaced>("orders", (_, _, _) => Task.CompletedTask),
            services: services => services.AddScoped(_ => new BookTrip(script)));
    }

    private Task CallAsync(string call, CancellationToken token)
    {
        var later = new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddHours(1) };
        var letters = running!.DeadLetters;
        return call switch
        {
            "publish" => running.Bus.PublishAsync(new OrderPlaced("1"), later, token),
            "publish many" =>
                running.Bus.PublishManyAsync([new OrderPlaced("1"), new OrderPlaced("2"), new OrderPlaced("3")], later, token),
            "saga start" => Sagas.StartAsync(new Trip("ada"), "trip-1", token),
            "saga run" => Sagas.RunAsync(new Trip("ada"), "trip-1", token),
            "saga wait" => Sagas.WaitAsync<Trip>("trip-1", token),
            "saga find" => Sagas.FindAsync("trip-1", token),
            "saga list" => SagaManager.ListAsync(null, token),
            "saga count" => SagaManager.CountAsync(null, token),
            "saga retry" => SagaManager.RetryAsync("trip-1", token),
            "saga skip" => SagaManager.SkipAsync("trip-1", "a reason", token),
            "saga finish" => SagaManager.FinishAsync("trip-1", "a reason", token),
            "letter list" => letters.ListAsync(null, token),
            "letter find" => letters.FindAsync("orders~1", token),
            "letter count" => letters.CountAsync(null, token),
            "letter retry" => letters.RetryAsync("orders~1", token),
            "letter retry all" => letters.RetryAllAsync(null, token),
            "letter discard" => letters.DiscardAsync("orders~1", "a reason", token),
            _ => throw new ArgumentOutOfRangeException(nameof(call), call, null),
        };
    }
}
