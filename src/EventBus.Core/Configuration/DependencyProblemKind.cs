namespace EventBus;

/// <summary>Says why the container cannot create a type, or must not.</summary>
internal enum DependencyProblemKind
{
    /// <summary>A parameter of its constructor is not registered.</summary>
    Missing,

    /// <summary>It has no public constructor.</summary>
    NoConstructor,

    /// <summary>It is created once for the whole process, and a parameter of its constructor is scoped.</summary>
    ScopedInSingleton,
}
