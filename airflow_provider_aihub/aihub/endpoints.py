"""Every endpoint of AIHub as a method, made from its one definition in :mod:`airflow_provider_aihub.aihub`."""

from __future__ import annotations

from airflow_provider_aihub.aihub import (
    artifacts,
    data_warehouse,
    dataset_management,
    eval_platform,
    evaluation,
    labelfree,
    model_center,
    model_deployment,
    model_tasks,
    model_training,
    notebooks,
    pipelines,
    quota_schedule,
    s3_relay,
    tag_system,
    templates,
    user_system,
    workflow_center,
)
from airflow_provider_aihub.http.endpoint import Endpoint


class Endpoints:
    """One line per endpoint; the function named on it documents parameters, result and errors."""

    login = Endpoint(user_system.login)
    list_users = Endpoint(user_system.list_users)
    get_user = Endpoint(user_system.get_user)
    search_users = Endpoint(user_system.search_users)

    create_search = Endpoint(data_warehouse.create_search)
    get_search = Endpoint(data_warehouse.get_search)
    list_searches = Endpoint(data_warehouse.list_searches)

    create_dataset = Endpoint(dataset_management.create_dataset)
    get_dataset = Endpoint(dataset_management.get_dataset)
    list_datasets = Endpoint(dataset_management.list_datasets)
    create_dataset_version = Endpoint(dataset_management.create_dataset_version)
    get_dataset_store_access = Endpoint(dataset_management.get_dataset_store_access)
    ingest_dataset_version = Endpoint(dataset_management.ingest_dataset_version)
    get_dataset_version = Endpoint(dataset_management.get_dataset_version)
    get_dataset_version_by_name = Endpoint(dataset_management.get_dataset_version_by_name)
    list_dataset_versions = Endpoint(dataset_management.list_dataset_versions)
    upload_file = Endpoint(dataset_management.upload_file)

    create_workflow_run = Endpoint(workflow_center.create_workflow_run)
    get_workflow_run = Endpoint(workflow_center.get_workflow_run)
    list_workflow_runs = Endpoint(workflow_center.list_workflow_runs)
    stop_workflow_run = Endpoint(workflow_center.stop_workflow_run)
    retry_workflow_run = Endpoint(workflow_center.retry_workflow_run)
    resubmit_workflow_run = Endpoint(workflow_center.resubmit_workflow_run)
    get_workflow_task_log = Endpoint(workflow_center.get_workflow_task_log)
    get_workflow_task_events = Endpoint(workflow_center.get_workflow_task_events)
    list_pipelines = Endpoint(pipelines.list_pipelines)
    get_pipeline = Endpoint(pipelines.get_pipeline)
    list_pipeline_versions = Endpoint(pipelines.list_pipeline_versions)
    list_pipeline_params = Endpoint(pipelines.list_pipeline_params)

    create_training = Endpoint(model_training.create_training)
    get_training = Endpoint(model_training.get_training)
    list_trainings = Endpoint(model_training.list_trainings)
    stop_training = Endpoint(model_training.stop_training)
    list_training_pods = Endpoint(model_training.list_training_pods)
    get_training_pod_logs = Endpoint(model_training.get_training_pod_logs)
    get_training_pod_events = Endpoint(model_training.get_training_pod_events)
    get_training_pod_spec = Endpoint(model_training.get_training_pod_spec)
    list_training_containers = Endpoint(model_training.list_training_containers)
    list_storages = Endpoint(model_training.list_storages)

    create_quota_task = Endpoint(quota_schedule.create_quota_task)
    get_quota_task = Endpoint(quota_schedule.get_quota_task)
    list_quota_tasks = Endpoint(quota_schedule.list_quota_tasks)
    stop_quota_task = Endpoint(quota_schedule.stop_quota_task)
    list_quota_task_pods = Endpoint(quota_schedule.list_quota_task_pods)
    get_quota_task_pod_logs = Endpoint(quota_schedule.get_quota_task_pod_logs)
    get_quota_task_pod_events = Endpoint(quota_schedule.get_quota_task_pod_events)
    get_quota_task_pod_spec = Endpoint(quota_schedule.get_quota_task_pod_spec)
    list_cluster_usage = Endpoint(quota_schedule.list_cluster_usage)

    list_notebook_images = Endpoint(notebooks.list_notebook_images)
    get_notebook_defaults = Endpoint(notebooks.get_notebook_defaults)
    list_notebooks = Endpoint(notebooks.list_notebooks)
    create_notebook = Endpoint(notebooks.create_notebook)
    get_notebook = Endpoint(notebooks.get_notebook)
    edit_notebook = Endpoint(notebooks.edit_notebook)
    delete_notebook = Endpoint(notebooks.delete_notebook)
    start_notebook = Endpoint(notebooks.start_notebook)
    stop_notebook = Endpoint(notebooks.stop_notebook)

    create_model = Endpoint(model_center.create_model)
    list_models = Endpoint(model_center.list_models)
    get_model = Endpoint(model_center.get_model)
    get_model_record = Endpoint(model_center.get_model_record)
    get_model_store_access = Endpoint(model_center.get_model_store_access)
    finish_model_upload = Endpoint(model_center.finish_model_upload)

    create_model_eval_task = Endpoint(model_tasks.create_model_eval_task)
    list_model_tasks = Endpoint(model_tasks.list_model_tasks)
    create_eval_report = Endpoint(eval_platform.create_eval_report)
    create_eval_run = Endpoint(eval_platform.create_eval_run)
    list_eval_reports = Endpoint(eval_platform.list_eval_reports)
    share_eval_report = Endpoint(eval_platform.share_eval_report)
    list_templates = Endpoint(templates.list_templates)
    search_templates = Endpoint(templates.search_templates)
    get_template = Endpoint(templates.get_template)
    list_template_params = Endpoint(templates.list_template_params)
    run_template = Endpoint(templates.run_template)

    create_deployment = Endpoint(model_deployment.create_deployment)
    list_deployments = Endpoint(model_deployment.list_deployments)
    get_deployment = Endpoint(model_deployment.get_deployment)
    delete_deployment = Endpoint(model_deployment.delete_deployment)
    start_deployment = Endpoint(model_deployment.start_deployment)
    stop_deployment = Endpoint(model_deployment.stop_deployment)
    list_deployment_pods = Endpoint(model_deployment.list_deployment_pods)
    get_deployment_logs = Endpoint(model_deployment.get_deployment_logs)
    get_infer_service = Endpoint(model_deployment.get_infer_service)
    get_artifact_store_access = Endpoint(artifacts.get_artifact_store_access)
    create_artifact = Endpoint(artifacts.create_artifact)
    finish_artifact_upload = Endpoint(artifacts.finish_artifact_upload)
    list_artifacts = Endpoint(artifacts.list_artifacts)

    get_label_project = Endpoint(labelfree.get_label_project)

    import_evaluation = Endpoint(evaluation.import_evaluation)
    list_virtual_clusters = Endpoint(tag_system.list_virtual_clusters)
    list_projects = Endpoint(tag_system.list_projects)
    upload_to_relay = Endpoint(s3_relay.upload_to_relay)
