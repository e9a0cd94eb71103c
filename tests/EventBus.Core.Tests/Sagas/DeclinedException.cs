namespace EventBus.Sagas;

internal sealed class DeclinedException() : Exception("declined");
