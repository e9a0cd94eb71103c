namespace EventBus;

/// <summary>Represents a declared upcast from one event type to another.</summary>
internal sealed record UpcastRegistration(Type From, Type To, Func<object, object> Convert);
