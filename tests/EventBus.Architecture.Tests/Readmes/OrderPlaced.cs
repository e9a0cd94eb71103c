namespace EventBus.Architecture.Tests.Readmes;

#region event
public sealed record OrderPlaced(string OrderId, decimal Total);
#endregion
