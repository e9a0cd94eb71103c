namespace EventBus.Load;

/// <summary>
/// The singleton that the handlers use. Public, because Wolverine's generated code can only use public types.
/// </summary>
public sealed class WolverineSink(Action<OrderPlaced> handle)
{
    public void Handle(OrderPlaced @event) => handle(@event);
}

/// <summary>
/// One handler class for each subscription, by which Wolverine distinguishes them. The methods are static, which is
/// faster by its page "Message Handlers".
/// </summary>
public static class WolverineHandlers
{
    public static IReadOnlyList<Type> First(int count) =>
        new[] { typeof(Handler0), typeof(Handler1), typeof(Handler2), typeof(Handler3), typeof(Handler4) }[..count];

    public static class Handler0
    {
        public static void Handle(OrderPlaced @event, WolverineSink sink) => sink.Handle(@event);
    }

    public static class Handler1
    {
        public static void Handle(OrderPlaced @event, WolverineSink sink) => sink.Handle(@event);
    }

    public static class Handler2
    {
        public static void Handle(OrderPlaced @event, WolverineSink sink) => sink.Handle(@event);
    }

    public static class Handler3
    {
        public static void Handle(OrderPlaced @event, WolverineSink sink) => sink.Handle(@event);
    }

    public static class Handler4
    {
        public static void Handle(OrderPlaced @event, WolverineSink sink) => sink.Handle(@event);
    }
}
