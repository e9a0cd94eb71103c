using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>An instance of an application with the tested saga, on a store that instances share.</summary>
internal sealed class SagaInstance(IHost host, FakeTimeProvider? time, LogMemory log) : IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ISagas Sagas => host.Services.GetRequiredService<ISagas>();

    public HealthCheckService Health => host.Services.GetRequiredService<HealthCheckService>();

    public LogMemory Log => log;

    public static async Task<SagaInstance> StartAsync(SagaStore store, Script script, FakeTimeProvider? time)
    {
        var log = new LogMemory();
        var host = RunningBus.Build(
            bus => bus.UseInMemory().UseStores(_ => new TestBusStores("shared", sagas: store)).AddSaga<BookTrip, Trip>(),
            time,
            services =>
            {
                services.AddScoped(_ => new BookTrip(script));
                services.AddHealthChecks();
                services.AddSingleton<Microsoft.Extensions.Logging.ILoggerProvider>(log);
            });
        await host.StartAsync(Token);
        return new SagaInstance(host, time, log);
    }

    /// <summary>Advances the time whenever the bus is idle, until a task completes.</summary>
    public async Task AdvanceUntilCompletedAsync(Task happened)
    {
        using var patience = new CancellationTokenSource(RunningBus.Patience, TimeProvider.System);
        while (!happened.IsCompleted)
        {
            Assert.False(patience.IsCancellationRequested, "The condition did not become true.");
            await Task.WhenAny(happened, host.Services.GetRequiredService<IEventBus>().WhenIdleAsync(RunningBus.Patience, Token));
            time!.Advance(Step);
        }
    }

    /// <summary>Advances the time until the saga has ended.</summary>
    public async Task<SagaResult<Trip>> WaitAsync(string id)
    {
        var waiting = Sagas.WaitAsync<Trip>(id, Token);
        await AdvanceUntilCompletedAsync(waiting);
        return await waiting;
    }

    public Task StopAsync(CancellationToken? budget = null) => host.StopAsync(budget ?? Token);

    public async ValueTask DisposeAsync()
    {
        // The step of a crashed instance never ends, so its stop waits until the drain timeout.
        var stopping = host.StopAsync(new CancellationToken(canceled: true));
        await Until.TrueAsync(
            "the instance stops",
            () =>
            {
                time?.Advance(Step);
                return stopping.IsCompleted;
            },
            CancellationToken.None);
        await stopping;
        host.Dispose();
        log.Dispose();
    }
}
