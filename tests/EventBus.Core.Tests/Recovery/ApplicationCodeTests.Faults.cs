using System.Collections.ObjectModel;

namespace EventBus;

public sealed partial class ApplicationCodeTests
{
    /// <summary>Throws twice.</summary>
    private sealed class FaultInjector(string place)
    {
        private int left = 2;

        public Func<Exception> Exception { get; init; } = () => new PlannedException();

        public bool IsSet(string here) => here == place && left-- > 0;

        public async Task RunAsync(Func<Task> next)
        {
            await next();
            if (IsSet("middleware runs it twice"))
            {
                await next();
                throw new PlannedException();
            }
        }

        public Task InvokeWithFaultAsync(Func<Task> next) =>
            IsSet("middleware throws") ? throw new PlannedException()
            : IsSet("middleware is cancelled") ? throw new OperationCanceledException()
            : IsSet("middleware returns null") ? null!
            : RunAsync(next);
    }

    private sealed class PlannedException() : Exception("planned");

    private sealed class OddGuard(FaultInjector injector) : IOrderGuard<OrderPlaced>
    {
        public Task<OrderDecision> DecideAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            injector.IsSet("guard throws") ? throw new PlannedException()
            : injector.IsSet("guard returns null") ? null!
            : Task.FromResult(injector.IsSet("guard decides nonsense") ? (OrderDecision)7 : OrderDecision.Proceed);
    }

    private sealed class OddHandler(FaultInjector injector, Seen seen) : IEventHandler<OrderPlaced>, IDisposable
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            injector.IsSet("handler returns null") ? null! : Note(seen, @event.OrderId);

        public void Dispose()
        {
            if (injector.IsSet("dispose"))
            {
                throw new PlannedException();
            }
        }
    }

    private sealed class OddAlert(FaultInjector injector, Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
            injector.IsSet("alert") ? throw injector.Exception() : Note(seen, "alert");
    }

    private sealed record OddEvent(string Place, [property: System.Text.Json.Serialization.JsonIgnore] Func<Exception> Exception)
    {
        public string Getter => Place == "getter" ? throw Exception() : "fine";
    }

    private sealed class OddHeaders(Func<Exception> exception)
        : ReadOnlyDictionary<string, string>(new Dictionary<string, string> { ["a"] = "b" }), IReadOnlyDictionary<string, string>
    {
        int IReadOnlyCollection<KeyValuePair<string, string>>.Count => throw exception();
    }

    private sealed class OddList(Func<Exception> exception) : IReadOnlyList<OddEvent>
    {
        public int Count => 3;

        public OddEvent this[int index] => index == 1 ? throw exception() : new OddEvent($"{index}", exception);

        public IEnumerator<OddEvent> GetEnumerator() => throw exception();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
