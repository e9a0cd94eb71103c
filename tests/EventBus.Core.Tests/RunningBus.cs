using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>A started in-memory bus in its own host.</summary>
internal sealed class RunningBus : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly IHost host;

    private RunningBus(IHost host) => this.host = host;

    public IServiceProvider Services => host.Services;

    public IEventBus Bus => Services.GetRequiredService<IEventBus>();

    public IDeadLetters DeadLetters => Services.GetRequiredService<IDeadLetters>();

    public static async Task<RunningBus> StartAsync(
        Action<EventBusBuilder> configure,
        TimeProvider? time = null,
        Action<IServiceCollection>? services = null)
    {
        var bus = new RunningBus(Build(configure, time, services));
        await bus.host.StartAsync(TestContext.Current.CancellationToken);
        return bus;
    }

    public static IHost Build(Action<EventBusBuilder> configure, TimeProvider? time = null, Action<IServiceCollection>? services = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (time is not null)
        {
            builder.Services.AddSingleton(time);
        }

        services?.Invoke(builder.Services);
        builder.Services.AddEventBus(configure);
        return builder.Build();
    }

    public Task WhenIdleAsync() => Bus.WhenIdleAsync(Patience, TestContext.Current.CancellationToken);

    /// <summary>Waits until there is one dead letter, and returns it.</summary>
    public async Task<DeadLetter> WhenDeadLetterAsync()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await Until.TrueAsync("there is a dead letter", async () => await DeadLetters.CountAsync(null, cancelled) == 1, cancelled);
        return Assert.Single(await DeadLetters.ListAsync(null, cancelled));
    }

    /// <summary>Advances the time, then waits until the due work is done.</summary>
    public Task PassAsync(FakeTimeProvider time, TimeSpan span)
    {
        time.Advance(span);
        return WhenIdleAsync();
    }

    public Task StopAsync() => host.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        try
        {
            // After a failed test the stop may never end: a fake clock that stands still limits it.
            await host.StopAsync(CancellationToken.None).WaitAsync(Patience);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"The bus did not stop within {Patience}; the test has failed before, or it never ends.", exception);
        }
        finally
        {
            host.Dispose();
        }
    }
}
