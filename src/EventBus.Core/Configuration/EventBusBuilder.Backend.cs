using System.ComponentModel;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

// The methods that the packages of backends and stores call. IntelliSense does not show them.
public sealed partial class EventBusBuilder
{
    /// <summary>
    /// Sets the backend. Called by the <c>Use...</c> method of a backend. Exactly one backend is required.
    /// </summary>
    /// <param name="call">The call that the user wrote, for error messages: <c>UseInMemory()</c>.</param>
    /// <param name="create">
    /// Creates the transport. The bus disposes it. The transport must not connect before it is started.
    /// </param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseTransport(string call, Func<IServiceProvider, Transport> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        registration.Transports.Add((call, create));
        return this;
    }

    /// <summary>
    /// Sets the stores for retries and dead letters; also for delayed events, idempotent subscriptions and sagas, if
    /// the stores support these. Called by the method of a store package. The last call wins.
    /// </summary>
    /// <param name="create">Creates the stores.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        registration.Stores = create;
        return this;
    }

    /// <summary>
    /// Sets the default stores of a backend. They are used unless <see cref="UseStores"/> is called, before or after
    /// this call.
    /// </summary>
    /// <param name="create">Creates the stores.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseDefaultStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        registration.DefaultStores = create;
        return this;
    }
}
