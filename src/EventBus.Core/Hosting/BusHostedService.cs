using Microsoft.Extensions.Hosting;

namespace EventBus;

/// <summary>
/// Starts the bus before every other hosted service and stops it after them, so that all of them can publish during
/// their whole lifetime.
/// </summary>
internal sealed class BusHostedService(BusHost host) : IHostedLifecycleService
{
    // False for a host that calls only StartAsync and StopAsync.
    private bool hostCallsLifecycleMethods;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        hostCallsLifecycleMethods = true;
        return host.StartAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => host.StartAsync(cancellationToken);

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        hostCallsLifecycleMethods ? Task.CompletedTask : host.StopAsync(cancellationToken);

    public Task StoppedAsync(CancellationToken cancellationToken) => host.StopAsync(cancellationToken);
}
