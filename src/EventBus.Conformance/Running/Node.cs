using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Conformance;

/// <summary>Represents one instance of a service in a scenario: its bus, log entries and alerts.</summary>
internal sealed class Node(ServiceProvider services, Func<Transport> transport, LogRecorder logs, Ledger<DeadLetter> alerts)
    : IAsyncDisposable
{
    private readonly IReadOnlyList<IHostedService> hostedServices = [.. services.GetServices<IHostedService>()];

    public IServiceProvider Services => services;

    public IEventBus Bus { get; } = services.GetRequiredService<IEventBus>();

    public IDeadLetters DeadLetters { get; } = services.GetRequiredService<IDeadLetters>();

    /// <summary>The transport of the bus, for messages that the bus would refuse to send.</summary>
    public Transport Transport => transport();

    public LogRecorder Logs => logs;

    /// <summary>The dead letters for which an alert was raised.</summary>
    public Ledger<DeadLetter> Alerts => alerts;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var service in hostedServices)
        {
            await service.StartAsync(cancellationToken);
        }
    }

    public async Task StopAsync()
    {
        foreach (var service in hostedServices.Reverse())
        {
            await service.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Sends an envelope without the bus, and expects that it is accepted.</summary>
    public async Task SendAsync(Envelope envelope)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        var outcomes = new PublishOutcome[1];
        await Transport.PublishAsync(new[] { envelope }, outcomes, deadline.Token);
        Expect.Equal(PublishStatus.Accepted, outcomes[0].Status, $"the outcome of sending {envelope} ({outcomes[0].Error?.Message})");
    }

    /// <summary>
    /// Waits until no event is in progress and none is due. Does not wait for retries and delayed events of a later
    /// time. Returns at once if the backend does not count its work.
    /// </summary>
    public async Task WhenIdleAsync()
    {
        if (Transport.Features.CountsWork)
        {
            await Bus.WhenIdleAsync(Expect.DefaultTimeout);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await services.DisposeAsync();
    }
}
