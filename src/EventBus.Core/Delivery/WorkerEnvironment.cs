namespace EventBus;

/// <summary>The services that all workers of a bus share.</summary>
internal sealed record WorkerEnvironment(TimeProvider Time, BackgroundRunner Runner, AsyncLocal<bool> InHandler, IdleSignal Idle, FailureRecorder Failures, CancellationToken Abort);
