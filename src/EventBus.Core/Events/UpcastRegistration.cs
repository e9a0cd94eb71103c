namespace EventBus;

/// <summary>One declared upcast.</summary>
internal sealed record UpcastRegistration(Type From, Type To, Func<object, object> Convert);
