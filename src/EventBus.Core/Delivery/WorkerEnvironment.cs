namespace EventBus;

/// <summary>What every worker of a bus shares.</summary>
internal sealed record WorkerEnvironment(TimeProvider Time, BackgroundRunner Runner, AsyncLocal<bool> InHandler, IdleSignal Idle, FailureRecorder Failures, CancellationToken Abort);
