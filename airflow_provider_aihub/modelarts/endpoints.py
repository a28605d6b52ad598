"""Every endpoint of ModelArts as a method, made from its one definition in :mod:`airflow_provider_aihub.modelarts`."""

from __future__ import annotations

from airflow_provider_aihub.http.endpoint import Endpoint
from airflow_provider_aihub.modelarts import (
    apps,
    iam,
    images,
    notebooks,
    training_catalog,
    training_jobs,
    workflows,
    workspaces,
)


class Endpoints:
    """One line per endpoint; the function named on it documents parameters, result and errors."""

    list_projects = Endpoint(iam.list_projects)

    create_training_job = Endpoint(training_jobs.create_training_job)
    get_training_job = Endpoint(training_jobs.get_training_job)
    search_training_jobs = Endpoint(training_jobs.search_training_jobs)
    terminate_training_job = Endpoint(training_jobs.terminate_training_job)
    delete_training_job = Endpoint(training_jobs.delete_training_job)
    delete_training_jobs = Endpoint(training_jobs.delete_training_jobs)
    change_training_job = Endpoint(training_jobs.change_training_job)
    list_training_job_events = Endpoint(training_jobs.list_training_job_events)
    get_training_job_log = Endpoint(training_jobs.get_training_job_log)
    get_training_job_log_url = Endpoint(training_jobs.get_training_job_log_url)
    get_training_job_metrics = Endpoint(training_jobs.get_training_job_metrics)
    add_training_job_tags = Endpoint(training_jobs.add_training_job_tags)
    remove_training_job_tags = Endpoint(training_jobs.remove_training_job_tags)
    list_training_job_tags = Endpoint(training_jobs.list_training_job_tags)
    list_training_job_stages = Endpoint(training_catalog.list_training_job_stages)
    list_training_job_engines = Endpoint(training_catalog.list_training_job_engines)
    list_training_job_flavors = Endpoint(training_catalog.list_training_job_flavors)
    get_training_quotas = Endpoint(training_catalog.get_training_quotas)
    save_training_job_image = Endpoint(images.save_training_job_image)
    get_training_job_image = Endpoint(images.get_training_job_image)

    list_workflows = Endpoint(workflows.list_workflows)
    get_workflow = Endpoint(workflows.get_workflow)
    list_workflow_executions = Endpoint(workflows.list_workflow_executions)
    create_workflow_execution = Endpoint(workflows.create_workflow_execution)
    get_workflow_execution = Endpoint(workflows.get_workflow_execution)
    delete_workflow_execution = Endpoint(workflows.delete_workflow_execution)
    act_on_workflow_execution = Endpoint(workflows.act_on_workflow_execution)
    stop_workflow_execution = Endpoint(workflows.stop_workflow_execution)
    act_on_workflow_step = Endpoint(workflows.act_on_workflow_step)
    create_workflow_subscription = Endpoint(workflows.create_workflow_subscription)
    get_workflow_subscription = Endpoint(workflows.get_workflow_subscription)
    update_workflow_subscription = Endpoint(workflows.update_workflow_subscription)
    delete_workflow_subscription = Endpoint(workflows.delete_workflow_subscription)

    create_notebook = Endpoint(notebooks.create_notebook)
    list_notebooks = Endpoint(notebooks.list_notebooks)
    list_all_notebooks = Endpoint(notebooks.list_all_notebooks)
    get_notebook = Endpoint(notebooks.get_notebook)
    start_notebook = Endpoint(notebooks.start_notebook)
    stop_notebook = Endpoint(notebooks.stop_notebook)
    change_notebook = Endpoint(notebooks.change_notebook)
    delete_notebook = Endpoint(notebooks.delete_notebook)
    save_notebook_image = Endpoint(images.save_notebook_image)
    get_image = Endpoint(images.get_image)
    get_notebook_lease = Endpoint(notebooks.get_notebook_lease)
    renew_notebook_lease = Endpoint(notebooks.renew_notebook_lease)
    list_notebook_tags = Endpoint(notebooks.list_notebook_tags)

    list_workspaces = Endpoint(workspaces.list_workspaces)
    get_workspace_quotas = Endpoint(workspaces.get_workspace_quotas)
    set_workspace_quotas = Endpoint(workspaces.set_workspace_quotas)

    create_app = Endpoint(apps.create_app)
    list_apps = Endpoint(apps.list_apps)
    delete_app = Endpoint(apps.delete_app)
